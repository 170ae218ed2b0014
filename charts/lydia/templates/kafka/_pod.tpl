{{/* What the pods that Strimzi makes have in common. The group is the one that Strimzi gives them where nothing is said:
without it a broker could not write into a new volume. */}}
{{- define "lydia.kafkaPod" -}}
enableServiceLinks: false
{{- include "lydia.priority" (dict "root" . "class" "on-air") | trim | nindent 0 }}
securityContext:
  runAsNonRoot: true
  fsGroup: 0
  seccompProfile: { type: RuntimeDefault }
{{- end }}
