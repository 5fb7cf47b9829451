"""From what is said to questions. Everything here returns only once the question is stored: then it is acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from citebot.answering.asking import is_question
from citebot.conversing.chat import Said
from citebot.conversing.known import Lately
from citebot.conversing.languages import is_help
from citebot.conversing.people import Member
from citebot.conversing.reception import Reception
from citebot.conversing.threads import for_us, turns
from citebot.errors import CannotShow, CitebotError, DiskFull
from citebot.model import Turn, Visibility
from citebot.ports import Inbound

log = structlog.get_logger("citebot.conversing")

KEPT = 1_000
"""Messages of the last minutes; of those before the database knows."""
JUST_NOW = 60.0


class Hearing:
    """Takes the questions in what is said, and what becomes of them when it changes."""

    def __init__(self, at: Reception, *, replied: Callable[[Said], None] = lambda said: None) -> None:
        self._at = at
        self._replied = replied
        """Hears of what is said in threads and is not for us."""
        self._taken: Lately[tuple[str, str], frozenset[str]] = Lately(KEPT)
        """The questions of a message, one for each of its edits, that this process took."""
        self._unprompted: Lately[tuple[str, str], None] = Lately(KEPT)
        self._noticed: Lately[tuple[str, str], None] = Lately(KEPT)

    async def heard(self, said: Said) -> None:
        """Somebody said something; it may be heard several times."""
        if not said.spoken or not said.author or said.ours or said.machine:
            return
        if await self._is_for_us(said):
            await self._ask(said)
        elif said.thread:
            self._at.threads.spoke(said.channel, said.thread)
            if not said.late:
                self._replied(said)
        elif await self._is_for_anybody(said):
            self._unprompted[said.channel, said.id] = None
            await self._ask(said)

    async def changed(self, now: Said, before: Said) -> None:
        """Somebody edited what they had said: what answers it is taken back, and it is asked anew."""
        same = (now.text, now.calls_us, now.calls) == (before.text, before.calls_us, before.calls)
        if not now.edited or same or now.ours or now.machine:
            return
        asked = await self._asked(now)
        # After a restart only the platform knows whether we answered it; where we were not meant nobody is asked.
        meant = now.calls_us or before.calls_us or now.direct
        if not asked and not (meant and await self._is_answered(now)):
            return
        if now.named not in asked:
            await self._end(now, asked)
        await self._ask(now)

    async def deleted(self, said: Said) -> None:
        """Somebody deleted what they had said."""
        if said.ours or said.machine:
            return
        await self._at.desk.people.forget(await self._at.where(said.channel), said.id)
        asked = await self._asked(said)
        if asked or said.calls_us or said.direct:
            await self._end(said, asked)

    async def stopped(self, channel: str, thread: str) -> None:
        """Every answer that is being written in a thread ends where it is."""
        await self._at.desk.stop_all(await self._at.where(channel, thread=thread))

    # -- whether it is for us -------------------------------------------------------------------------------------

    async def _is_for_us(self, said: Said) -> bool:
        if said.calls_us or said.direct:
            return True
        if said.root == said.id or said.calls:
            return False
        try:
            known = await self._at.threads.known(said.channel, said.thread)
        except CannotShow:
            return False
        return known.partner == said.author

    async def _is_for_anybody(self, said: Said) -> bool:
        """A question that calls nobody, begins no thread of others, and is asked where all are answered."""
        if said.files or said.calls or said.calls_many or not is_question(said.text):
            return False
        try:
            settings = await self._at.desk.settings_of(await self._at.where(said.channel))
            answered = settings.answers == "all" and not settings.muted
            return answered and (await self._at.people.member_or_guest(said.author)).reads
        except CitebotError as error:
            log.info("nobody called us, and settings are not known", why=str(error))
            return False

    async def _asked(self, said: Said) -> Sequence[str]:
        """The questions it asked, whichever process took them."""
        return await self._at.desk.asked_by(await self._at.where(said.channel), said.id)

    async def _is_answered(self, said: Said) -> bool:
        try:
            return any(one.question == said.id for one in await self._at.chat.thread(said.channel, said.root))
        except CannotShow:
            return False

    # -- a question -----------------------------------------------------------------------------------------------

    async def _ask(self, said: Said) -> None:
        asker = await self._at.people.member_or_guest(said.author)
        text = await self._at.with_names(said)
        texts = self._at.texts_of(asker.locale)
        if not text or is_help(text):
            self._notice(said, texts.files_ask if said.files and not text else await self._at.help(texts))
        elif not said.direct and self._at.threads.full(said.channel, said.root):
            self._notice(said, texts.thread_full)
        elif not said.direct and (await self._at.desk.settings_of(await self._at.where(said.channel))).muted:
            self._notice(said, texts.muted.format(command=self._at.command))
        else:
            try:
                await self._accept(said, text, asker)
            except DiskFull:
                self._notice(said, texts.cannot_save)
                raise

    async def _accept(self, said: Said, text: str, asker: Member) -> None:
        attachments, unread = await self._at.chat.attached(text, said.files)
        inbound = Inbound(
            # Not an id of the delivery: one message may come by several events, each of them several times.
            delivery_id=f"{said.channel}:{said.named}",
            message_id=said.named,
            conversation=await self._at.where(said.channel, thread=said.root, visibility=await self._visibility(said)),
            asker=asker.person,
            text=text,
            history=await self._history(said),
            unprompted=(said.channel, said.id) in self._unprompted,
            attachments=attachments,
            unread=unread,
            account=said.author,
        )
        self._at.chat.asked_by(said)
        await self._at.desk.accept(inbound)
        taken = self._taken.get((said.channel, said.id), frozenset())
        if said.named not in taken and not inbound.unprompted:
            self._at.threads.asked(said.channel, said.root, said.author)
        self._taken[said.channel, said.id] = taken | {said.named}

    async def _visibility(self, said: Said) -> Visibility:
        if said.direct:
            return "dm"
        try:
            return (await self._at.people.place(said.channel)).visibility
        except CannotShow as error:
            log.warning("channel not known, nothing can be shown there", why=str(error))
            return "private"

    async def _history(self, said: Said) -> tuple[Turn, ...]:
        if said.root == said.id:
            return ()
        try:
            messages = await self._at.chat.thread(said.channel, said.root)
            await self._take_earlier(messages, said)
            return turns(messages, before=said.at)
        except CitebotError as error:
            log.info("thread not read, the question stands alone", why=str(error))
            return ()

    async def _take_earlier(self, messages: Sequence[Said], said: Said) -> None:
        """Take first what was asked a moment ago, and may be with another process: answers keep the order."""
        for number, earlier in enumerate(messages):
            new = 0 < said.at - earlier.at < JUST_NOW and (said.channel, earlier.id) not in self._taken
            if new and earlier.spoken and for_us(messages, number, direct=said.direct):
                await self._ask(replace(earlier, direct=said.direct, late=True))

    async def _end(self, said: Said, asked: Sequence[str]) -> None:
        """Stop what answers a message, and take it back."""
        for question in asked:
            await self._at.desk.take_back(await self._at.where(said.channel), question)
        if not asked:  # longer ago than we keep what was asked
            await self._at.chat.withdraw(said)

    # -- to the asker alone ---------------------------------------------------------------------------------------

    def _notice(self, said: Said, text: str) -> None:
        """One line to the asker alone; what is heard several times says it once."""
        key = (said.channel, f"{said.id} {text[:40]}")
        if key not in self._noticed and not said.late:  # a hint is of no use any more
            self._noticed[key] = None
            self._at.spawn(self._say(said, text))

    async def _say(self, said: Said, text: str) -> None:
        try:
            await self._at.chat.tell(said, text)
        except CitebotError as error:
            log.info("notice not shown", why=str(error))
