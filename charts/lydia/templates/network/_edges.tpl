{{/* Who may speak with whom inside of the release, as a list of {from, to, ports}; without ports, all. */}}
{{- define "lydia.edges" -}}
{{- if eq .Values.redis.mode "development" }}
- { from: {{ include "lydia.onTheBus" . }}, to: [redis], ports: [6379] }
{{- end }}
{{- if .Values.triton.enabled }}
- { from: [chat, speech, motion], to: [triton], ports: [8001] }
{{- end }}
{{- if .Values.ray.enabled }}
- { from: [audience], to: [ray-worker], ports: [8000] }
- { from: [ray-head, ray-worker], to: [ray-head, ray-worker] }
{{- end }}
- { from: [probe], to: [gateway, stage], ports: [8080] }
{{- end }}

{{/* The port of an address, or what it is without one: (dict "url" "redis://there:6380/0"). */}}
{{- define "lydia.port" -}}
{{- $port := regexFind ":[0-9]+" (regexReplaceAll "^[a-z]+://" .url "") | trimPrefix ":" -}}
{{- if $port }}{{ $port }}{{ else if hasPrefix "http://" .url }}80{{ else }}443{{ end }}
{{- end }}

{{- define "lydia.ports" -}}
{{- /* of a policy, from a list of numbers */ -}}
ports:
{{- range . }}
  - { protocol: TCP, port: {{ int . }} }
{{- end }}
{{- end }}

{{/* The ports on which a service reaches servers that are not the chart's: (dict "root" $ "component" "chat"). */}}
{{- define "lydia.outside" -}}
{{- $settings := .root.Values.settings -}}
{{- $ports := list -}}
{{- if and (eq .component "gateway") (dig "douyin" "app_id" "" $settings) -}}
{{- $ports = .root.Values.networkPolicy.outside -}}
{{- end -}}
{{- if has .component (list "chat" "speech") -}}
{{- with dig .component "base_url" "" $settings -}}
{{- $ports = uniq (append $.root.Values.networkPolicy.outside (int (include "lydia.port" (dict "url" .)))) -}}
{{- end -}}
{{- end -}}
{{- toJson $ports -}}
{{- end }}

{{/* What selects the collector's pods, which the OpenTelemetry operator names. */}}
{{- define "lydia.collector" -}}
app.kubernetes.io/instance: {{ .Release.Namespace }}.{{ include "lydia.fullname" . }}
app.kubernetes.io/component: opentelemetry-collector
{{- end }}
