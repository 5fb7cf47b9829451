{{- /* What all pods have in common. */ -}}
{{- define "citebot.podSettings" -}}
{{- with .Values -}}
serviceAccountName: {{ .serviceAccountName }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- with .runAsUser }}
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "citebot.container" -}}
name: citebot
image: {{ include "citebot.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- /* Files in the place of variables: what is in the environment, every child process inherits. */ -}}
{{- define "citebot.secretVariables" -}}
{{- range $variable, $from := . }}
- name: {{ $variable }}_FILE
  value: /run/citebot/secrets/{{ $variable }}
{{- end }}
{{- end -}}

{{- define "citebot.mounts" -}}
- {name: secrets, mountPath: /run/citebot/secrets, readOnly: true}
{{- if .Values.certificates }}
- {name: certificates, mountPath: /run/citebot/certificates, readOnly: true}
{{- end }}
- {name: data, mountPath: /var/lib/citebot}
- {name: temporary, mountPath: /tmp}
{{- end -}}

{{- /* Takes (dict "root" . "secrets" SECRETS). */ -}}
{{- define "citebot.volumes" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $variable, $from := .secrets }}
      - secret:
          name: {{ $from.name }}
          items: [{key: {{ $from.key | quote }}, path: {{ $variable }}}]
      {{- end }}
{{- with .root.Values.certificates }}
- name: certificates
  projected:
    defaultMode: 0444
    sources:
      {{- range $file, $from := . }}
      - {{ ternary "secret" "configMap" (hasKey $from "secret") }}:
          name: {{ $from.secret | default $from.configMap }}
          items: [{key: {{ $from.key | quote }}, path: {{ $file | quote }}}]
      {{- end }}
{{- end }}
- name: data
  emptyDir: {sizeLimit: {{ .root.Values.dataSize }}}
- name: temporary
  emptyDir: {sizeLimit: {{ .root.Values.dataSize }}}
{{- end -}}
