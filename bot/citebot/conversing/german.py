"""German."""

from __future__ import annotations

from citebot.conversing.words import Counted, Texts

GERMAN = Texts(
    language="de",
    and_="und",
    thousands=".",
    queued="Wartet, bis es an der Reihe ist",
    searching="Sucht",
    searching_sources="Durchsucht {count} Quellen",
    reading="Liest",
    reading_passages="Liest {count} Textstellen",
    writing="Schreibt",
    still_working="Arbeitet noch …",
    no_question="Darin habe ich keine Frage gefunden. Bitte stelle sie in ein paar Worten.",
    nothing_found="Das weiß ich nicht: In den Dokumenten, die hier verwendet werden dürfen, steht nichts dazu.",
    unknown="Das weiß ich nicht. Am nächsten kommt: {titles}.",
    unsupported="Ich konnte keine Antwort mit Quellen belegen.",
    unsupported_closest="Ich konnte keine Antwort mit Quellen belegen. Am nächsten kommt: {titles}.",
    cannot_write="Ich kann gerade keine Antwort schreiben. Diese Textstellen passen am besten: {numbers}",
    cannot_write_yet=(
        "Ich kann gerade keine Antwort schreiben. Diese Textstellen passen am besten: {numbers}. "
        "Ist das Modell innerhalb von 10 Minuten wieder da, ergänze ich diese Nachricht."
    ),
    not_written=(
        "Ich kann gerade keine Antwort schreiben. Diese Textstellen passen am besten: {numbers}. "
        "Das Modell war nach 10 Minuten nicht wieder da. Bitte frage noch einmal."
    ),
    busy="Gerade viel los: etwa {seconds} s.",
    keywords_only="nur nach Stichwörtern gesucht",
    partial_index="ein Teil des Index hat nicht geantwortet",
    simple_ranking="einfache Reihenfolge verwendet",
    stopped_early="Abgebrochen, bevor etwas geschrieben war.",
    stopped="abgebrochen, bevor sie fertig war",
    too_slow="abgeschnitten: Das Schreiben hat zu lange gedauert",
    cut_off="abgeschnitten: Der Entwurf war zu lang",
    broken_off="abgeschnitten: Das Modell hat zu schreiben aufgehört",
    question_cut="nur die ersten {limit} Zeichen der Frage wurden gelesen",
    not_read="Nicht gelesen habe ich {names}",
    read_in_part="Nur zum Teil gelesen habe ich {names}",
    groups_unchecked=(
        "Dokumente für deine Gruppen in {sources} fehlen vielleicht: "
        "Wer in diesen Gruppen ist, wurde zu lange nicht geprüft; das gilt wieder, sobald die Quelle gelesen ist"
    ),
    readers_unchecked="Dokumente in {sources} fehlen: Die Quelle hat nicht gesagt, wer sie jetzt lesen darf",
    older_version="eine ältere Fassung sagt etwas anderes: „{title}“",
    open_to_all="{titles} kann von jedem geschrieben sein",
    older_version_of="eine ältere Fassung sagt etwas anderes: „{title}“ vom {day}",
    given_up="Ich konnte diese Frage trotz mehrerer Versuche nicht beantworten. Bitte stelle sie später noch einmal.",
    withdrawn="Abgebrochen, bevor es begonnen hat.",
    withheld=(
        "Diese Antwort nennt etwas, das sich seitdem geändert hat oder hier nicht mehr gezeigt werden darf. "
        "Bitte frage noch einmal."
    ),
    not_yours="Diese Antwort gibt es nicht, oder sie wurde dir nicht gezeigt.",
    not_asked="Eine Antwort speichern können nur die, die gefragt wurden.",
    nobody_to_ask="Ich kenne hier niemanden, den ich fragen könnte.",
    asked_too_often="Du hast heute schon oft Leute gefragt. Bitte frag sie selbst, oder morgen wieder.",
    search_down="Die Suche ist ausgefallen; ich habe deine Frage gespeichert und antworte hier.",
    not_saved="Ich konnte deine Frage nicht speichern. Bitte stelle sie gleich noch einmal.",
    cannot_save="Ich kann gerade nichts speichern. Bitte sag denen Bescheid, die mich betreiben.",
    asked_at="gefragt um {time}",
    source_old="{source} zuletzt vor {age} gelesen",
    budget_spent="Das Kontingent für heute ist aufgebraucht (wieder ab 00:00 UTC). Nur die Textstellen: {numbers}",
    not_here="Ich sehe diesen Kanal nicht. Lade mich ein, oder frage mich in einer Direktnachricht.",
    files_ask="Was möchtest du wissen? Schreib deine Frage zusammen mit der Datei.",
    thread_full="In diesem Thread stehen schon viele Antworten. Bitte frage in einem neuen.",
    only_asker="Das kann nur, wer gefragt hat, oder ein Admin.",
    gone="Diese Antwort gibt es nicht mehr.",
    sources="Quellen",
    closest="Nächstliegende Dokumente",
    updated="geändert am {day}",
    helpful="Hilfreich",
    not_helpful="Nicht hilfreich",
    delete="Diese Antwort löschen",
    delete_confirm="Diese Antwort für alle löschen?",
    ask_again="Noch einmal fragen",
    ask_people="Einen Menschen fragen",
    people_called="Ich habe im Thread nachgefragt.",
    people_called_already="Danach wurde schon gefragt.",
    people_asked="{people} {asker} möchte wissen:",
    people_hint="Bitte antworte in diesem Thread. Was du schreibst, kann als Antwort gespeichert werden.",
    people_answered="Beantwortet von {name}",
    answer_offer="Ist das die Antwort auf „{question}“? Dann kann ich sie das nächste Mal geben.",
    save_answer="Als Antwort speichern",
    answer_saved="Gespeichert. Wer diesen Kanal lesen darf, findet es.",
    answer_saved_already="Auf diese Frage gibt es schon eine Antwort.",
    not_done="Das hat nicht geklappt. Bitte versuch es gleich noch einmal.",
    share="Im Kanal teilen",
    shared="Geteilt. Verwendet wurde nur, was alle im Kanal lesen dürfen.",
    offer_alone="Dir allein kann ich das beantworten, aus Dokumenten, die nicht alle hier lesen dürfen.",
    answer_alone="Nur mir antworten",
    thanks="Danke. Das hilft, Antworten besser zu machen.",
    remove_answer="Entfernen",
    keep_answer="Behalten",
    why_title="Was war falsch?",
    why_label="Was hätte dir geholfen?",
    why_hint="Wer sich um die Antworten kümmert, liest das zusammen mit deiner Frage.",
    ask_empty="Schreib deine Frage hinter den Befehl: {command} {example}",
    ask_looking="Ich suche eine Antwort auf: {question}",
    ask_title="Dazu fragen",
    ask_label="Deine Frage",
    ask_about="Zu dieser Nachricht:",
    ask_example="Wie buche ich einen Besprechungsraum?",
    ask_private="Nur du siehst die Antwort.",
    ask_hint="Lass es leer, um zu fragen, was die Nachricht fragt.",
    asked_by="{user} fragt: {question}",
    ask_submit="Fragen",
    send="Senden",
    cancel="Abbrechen",
    help=(
        "Ich beantworte Fragen aus dem, was dein Team geschrieben hat, und sage, wo es steht.\n"
        "• Erwähne {bot} in einem Kanal, oder schreib mir direkt.\n"
        "• {command} und eine Frage: Nur du siehst die Antwort.\n"
        "• „Ask about this“ im Menü einer Nachricht: Nur du siehst die Antwort.\n"
        "• Frag im Thread weiter; ich weiß, was vorher gesagt wurde.\n"
        "Ich verwende nur, was alle lesen dürfen, die die Antwort sehen. Was ich nicht weiß, sage ich."
    ),
    help_words=("hilfe", "?"),
    no_sources="Noch nichts: Es ist keine Quelle eingerichtet, oder keine steht dir offen.",
    documents=Counted("1 Dokument", "{count} Dokumente"),
    more_sources=Counted("und 1 weitere Quelle", "und {count} weitere Quellen"),
    read_ago="vor {age} gelesen",
    never_read="noch nicht gelesen",
    paused="pausiert, vor {age} gelesen",
    failing="gerade nicht lesbar, zuletzt vor {age} gelesen",
    no_source="Es gibt keine Quelle „{name}“. „citebot source list“ zeigt die Namen.",
    admins_only="Das kann nur ein Admin.",
    keepers_only="Das kann nur ein Admin, oder wer diesen Kanal angelegt hat.",
    muted="In diesem Kanal bin ich stumm. Frag mich mit {command}, oder in einer Direktnachricht.",
    admin_help=(
        "• `{command} admin status`: die Quellen, wie frisch sie sind, und was nicht stimmt\n"
        "• `{command} admin sync NAME`: eine Quelle jetzt lesen\n"
        "• `{command} admin pause NAME`, `{command} admin resume NAME`: nicht mehr lesen, oder wieder\n"
        "• `{command} admin mute`, `{command} admin unmute`: in diesem Kanal schweigen, oder wieder antworten\n"
        "• `{command} settings`: Quellen, Ausführlichkeit und Grenzen dieses Kanals"
    ),
    admin_problems="Was nicht stimmt",
    admin_well="Alles in Ordnung.",
    admin_work="{waiting} warten, {parked} waren nicht lesbar",
    admin_reading="Lese {name} …",
    admin_read="{name} ist gelesen: {listed} aufgelistet, {saved} geholt, {removed} entfernt, {failed} misslungen.",
    admin_paused="{name} ist pausiert. Was davon bekannt ist, bleibt.",
    admin_resumed="{name} wird wieder gelesen.",
    admin_muted="In diesem Kanal bin ich jetzt stumm; {command} geht weiter.",
    admin_unmuted="In diesem Kanal antworte ich wieder.",
    settings_title="Einstellungen",
    settings_save="Sichern",
    settings_saved="Gesichert.",
    settings_where="Diese Einstellungen gelten nur in {channel}.",
    settings_sources="Quellen, die durchsucht werden",
    settings_sources_hint="Keine ausgewählt: alle.",
    settings_answers="Wem ich antworte",
    settings_answers_choices=("Wer mich erwähnt", "Auf jede Frage hier, wenn ich etwas weiß"),
    settings_tone="Wie viel ich schreibe",
    settings_tone_choices=("Ein, zwei Sätze", "Wie üblich", "Alles, was zählt"),
    settings_per_person="Fragen eines Menschen am Tag",
    settings_per_day="Fragen aller zusammen am Tag",
    settings_budget_hint="0: beliebig viele. Danach zeige ich nur Textstellen.",
    just_now="einem Augenblick",
    minutes=Counted("1 Minute", "{count} Minuten"),
    hours=Counted("1 Stunde", "{count} Stunden"),
    days=Counted("1 Tag", "{count} Tagen"),
)
