{{- define "citebot.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-citebot" .Release.Name) (contains "citebot" .Release.Name) -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- /* Takes (list . COMPONENT). The migration has a name of its own, so that no Service and no policy takes it for a server. */ -}}
{{- define "citebot.selector" -}}
{{- $component := index . 1 -}}
app.kubernetes.io/name: {{ ternary "citebot-migration" "citebot" (eq $component "migration") }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- with $component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "citebot.labels" -}}
{{- $chart := (index . 0).Chart -}}
{{ include "citebot.selector" . }}
app.kubernetes.io/version: {{ $chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $chart.Name $chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "citebot.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Who answers: Slack and Discord can be written to without listening there; the web chat is answered by its gateways. */ -}}
{{- define "citebot.answering" -}}
{{- ternary "worker" "gateway" (has .Values.settings.platform.use (list "slack" "discord")) -}}
{{- end -}}

{{- define "citebot.roles" -}}
{{- list "gateway" (include "citebot.answering" .) "sync" | uniq | join " " -}}
{{- end -}}

{{- /* The port of the platform in use; nothing where it has no web server. */ -}}
{{- define "citebot.webPort" -}}
{{- with .Values.settings.platform -}}
{{- if eq .use "console" -}}8080
{{- else if and (eq .use "slack") (eq (dig "slack" "mode" "socket" .) "http") -}}8766
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The secrets in use, as YAML: variable -> {name, key}. Those of a platform that is not in use are left out. */ -}}
{{- define "citebot.secrets" -}}
{{- $mine := printf "CITEBOT_PLATFORM__%s__" (upper .Values.settings.platform.use) -}}
{{- range $variable, $from := merge (dict) .Values.secrets .Values.plugins.secrets -}}
{{- if or (hasPrefix $mine $variable) (not (hasPrefix "CITEBOT_PLATFORM__" $variable)) }}
{{ $variable }}:
  name: {{ $from.name | default $.Values.existingSecret | quote }}
  key: {{ $from.key | default $variable | quote }}
{{- end -}}
{{- end -}}
{{- end -}}
