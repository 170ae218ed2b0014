{{/* Names, labels, images. */}}

{{/* Short enough for the longest name that is made of it: of a RayService KubeRay takes 41 characters. */}}
{{- define "lydia.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 32 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 32 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* What selects the pods of a component: (dict "root" $ "component" "chat"). KubeRay gives its pods a name of its own,
so app.kubernetes.io/name is none of it. */}}
{{- define "lydia.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "lydia.labels" -}}
app.kubernetes.io/name: lydia
{{ include "lydia.selector" . }}
app.kubernetes.io/part-of: lydia
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "lydia.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{- define "lydia.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The services, in the order of the data's way. */}}
{{- define "lydia.services" -}}
[gateway, audience, chat, speech, motion, stage]
{{- end }}

{{/* The components that speak with Kafka and Redis. */}}
{{- define "lydia.onTheBus" -}}
[gateway, audience, chat, speech, motion, stage, ray-head, ray-worker]
{{- end }}

{{- define "lydia.kafkaCluster" -}}
{{ include "lydia.fullname" . }}
{{- end }}

{{- define "lydia.redisUrl" -}}
{{- if eq .Values.redis.mode "external" }}{{ .Values.redis.external.url }}
{{- else }}redis://{{ include "lydia.fullname" . }}-redis:6379/0{{ end }}
{{- end }}

{{- define "lydia.otlpEndpoint" -}}
{{- if eq .Values.telemetry.mode "endpoint" }}{{ .Values.telemetry.endpoint }}
{{- else if eq .Values.telemetry.mode "collector" }}http://{{ include "lydia.fullname" . }}-collector:4318{{ end }}
{{- end }}

{{/* The models that the settings make use of: services/building/ says so in `asked`. */}}
{{- define "lydia.modelsAsked" -}}
{{- $asked := list "chat.persona" "motion.rules" "speech.espeak" -}}
{{- if ne (dig "speech" "own_voice" "lydia" .Values.settings) "fast" }}{{ $asked = append $asked "speech.natural" }}{{ end -}}
{{- if dig "chat" "network" false .Values.settings }}{{ $asked = append $asked "chat.network" }}{{ end -}}
{{- /* A foreign voice tells no phonemes: her lips go by ear. */ -}}
{{- if or (dig "motion" "network" false .Values.settings) (dig "speech" "base_url" "" .Values.settings) -}}
{{- $asked = append $asked "motion.network" -}}
{{- end -}}
{{- toJson $asked -}}
{{- end }}

{{/* Every Triton there may be, each by its own name: a room's requests go to one of them while it is there. */}}
{{- define "lydia.tritonServers" -}}
{{- $name := printf "%s-triton" (include "lydia.fullname" .) -}}
{{- $servers := list -}}
{{- range $number := until (int (ternary .Values.triton.scaling.max .Values.triton.replicas .Values.scaling.enabled)) -}}
{{- $servers = append $servers (printf "%s-%d.%s.%s.svc:8001" $name $number $name $.Release.Namespace) -}}
{{- end -}}
{{- toJson $servers -}}
{{- end }}
