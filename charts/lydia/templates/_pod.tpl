{{/* What all pods have in common. */}}

{{- define "lydia.podSecurity" -}}
{{- /* of a pod; (dict "user" 10001) */ -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .user }}
fsGroup: {{ .user }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "lydia.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where a pod goes: (dict "root" $ "component" "chat" "spread" true). */}}
{{- define "lydia.placement" -}}
{{- with .root.Values.placement.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
tolerations:
  {{- include "lydia.away" .root | trim | nindent 2 }}
  {{- with .root.Values.placement.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- include "lydia.spread" . }}
{{- end }}

{{/* How long a pod waits for its node to come back before it is made elsewhere. Kubernetes' own 300 s are for programs
that nobody listens to. */}}
{{- define "lydia.away" -}}
{{- range list "not-ready" "unreachable" }}
- { key: node.kubernetes.io/{{ . }}, operator: Exists, effect: NoExecute, tolerationSeconds: {{ $.Values.placement.awaySeconds }} }
{{- end }}
{{- end }}

{{- define "lydia.spread" -}}
{{- $given := . }}
{{- with .root.Values.placement.spread }}
topologySpreadConstraints:
{{- range . }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "lydia.selector" $given | nindent 8 }}
{{- end }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "class" "on-air") */}}
{{- define "lydia.priority" -}}
{{- if .root.Values.priority.create }}
priorityClassName: {{ include "lydia.priorityClass" . }}
{{- end }}
{{- end }}

{{/* A class belongs to the whole cluster, where another namespace may have a release of the same name; and its value
never changes, so that another value is another class. */}}
{{- define "lydia.priorityClass" -}}
{{- $value := int (ternary .root.Values.priority.onAir .root.Values.priority.others (eq .class "on-air")) -}}
{{ .root.Release.Namespace }}-{{ include "lydia.fullname" .root }}-{{ .class }}-{{ $value }}
{{- end }}

{{/* Secrets of a service, as lists of (variable, file, Secret, key): (dict "root" $ "name" "chat"). */}}
{{- define "lydia.secrets" -}}
{{- $values := .root.Values }}
{{- $all := list }}
{{- $own := dict
  "gateway" (list
    (list "LYDIA_AUTH__MESSAGE_TOKEN_FILE" "message-token" $values.secrets.messageToken)
    (list "LYDIA_DOUYIN__APP_SECRET_FILE" "douyin-app-secret" $values.secrets.douyinAppSecret)
    (list "LYDIA_DOUYIN__PUSH_SECRETS_FILE" "douyin-push-secrets" $values.secrets.douyinPushSecrets)
    (list "LYDIA_DOUYIN__LAUNCH_TOKEN_FILE" "douyin-launch-token" $values.secrets.douyinLaunchToken))
  "chat" (list (list "LYDIA_CHAT__API_KEY_FILE" "chat-api-key" $values.secrets.chatApiKey))
  "speech" (list (list "LYDIA_SPEECH__API_KEY_FILE" "speech-api-key" $values.secrets.speechApiKey))
  "stage" (list (list "LYDIA_AUTH__OPERATOR_TOKEN_FILE" "operator-token" $values.secrets.operatorToken))
  "probe" (list (list "LYDIA_AUTH__MESSAGE_TOKEN_FILE" "message-token" $values.secrets.messageToken))
}}
{{- range (get $own .name | default list) }}
{{- $all = append $all (list (index . 0) (index . 1) (index . 2).name (index . 2).key) }}
{{- end }}
{{- if ne .name "probe" }}
{{- if eq $values.redis.mode "external" }}
{{- with $values.redis.external }}
{{- $all = append $all (list "LYDIA_REDIS__PASSWORD_FILE" "redis-password" .password.name .password.key) }}
{{- $all = append $all (list "LYDIA_REDIS__CA" "redis-ca.crt" .ca.name .ca.key) }}
{{- end }}
{{- end }}
{{- if eq $values.bus "kafka" }}
{{- if eq $values.kafka.mode "strimzi" }}
{{- $all = append $all (list "LYDIA_KAFKA__PASSWORD_FILE" "kafka-password" (printf "%s-%s" (include "lydia.fullname" .root) .name) "password") }}
{{- $all = append $all (list "LYDIA_KAFKA__CA" "kafka-ca.crt" (printf "%s-cluster-ca-cert" (include "lydia.kafkaCluster" .root)) "ca.crt") }}
{{- else }}
{{- with $values.kafka.external }}
{{- if hasPrefix "SASL" .securityProtocol }}
{{- $all = append $all (list "LYDIA_KAFKA__PASSWORD_FILE" "kafka-password" .password.name .password.key) }}
{{- end }}
{{- $all = append $all (list "LYDIA_KAFKA__CA" "kafka-ca.crt" .ca.name .ca.key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- $named := list }}
{{- range $all }}{{ if index . 2 }}{{ $named = append $named . }}{{ end }}{{ end }}
{{- toJson $named }}
{{- end }}

{{/* What holds the file that a service reads, if there is one: (dict "root" $ "name" "chat"). */}}
{{- define "lydia.words" -}}
{{- if has .name (list "audience" "chat") }}{{ .root.Values.files.words.configMap }}{{ end }}
{{- end }}

{{- define "lydia.avatar" -}}
{{- if eq .name "stage" }}{{ .root.Values.files.avatar.claim }}{{ end }}
{{- end }}

{{/* The environment of a service: (dict "root" $ "name" "chat"). What is secret is read from files. */}}
{{- define "lydia.environment" -}}
{{- $values := .root.Values }}
- { name: LYDIA_CONFIG, value: /etc/lydia/lydia.yaml }
- { name: LYDIA_DATA_DIR, value: /var/lib/lydia }
- { name: LYDIA_HTTP__HOST, value: 0.0.0.0 }
- { name: LYDIA_HTTP__PORT, value: "8080" }
- { name: LYDIA_DRAIN_S, value: {{ $values.drainSeconds | quote }} }
- { name: LYDIA_BUS, value: {{ $values.bus }} }
- { name: LYDIA_REDIS__URL, value: {{ include "lydia.redisUrl" .root | quote }} }
{{- if eq $values.redis.mode "external" }}
{{- with $values.redis.external.username }}
- { name: LYDIA_REDIS__USERNAME, value: {{ . | quote }} }
{{- end }}
{{- end }}
{{- if eq $values.bus "kafka" }}
- { name: LYDIA_KAFKA__CLIENT, value: {{ $values.kafka.client }} }
{{- if eq $values.kafka.mode "strimzi" }}
- { name: LYDIA_KAFKA__BOOTSTRAP_SERVERS, value: "{{ include "lydia.kafkaCluster" .root }}-kafka-bootstrap:9093" }
- { name: LYDIA_KAFKA__SECURITY_PROTOCOL, value: SASL_SSL }
- { name: LYDIA_KAFKA__SASL_MECHANISM, value: SCRAM-SHA-512 }
- { name: LYDIA_KAFKA__USERNAME, value: {{ include "lydia.fullname" .root }}-{{ .name }} }
- { name: LYDIA_KAFKA__CREATE_TOPICS, value: "false" }
{{- else }}
{{- with $values.kafka.external }}
- { name: LYDIA_KAFKA__BOOTSTRAP_SERVERS, value: {{ .bootstrapServers | quote }} }
- { name: LYDIA_KAFKA__SECURITY_PROTOCOL, value: {{ .securityProtocol }} }
{{- if hasPrefix "SASL" .securityProtocol }}
- { name: LYDIA_KAFKA__SASL_MECHANISM, value: {{ .saslMechanism }} }
- { name: LYDIA_KAFKA__USERNAME, value: {{ .username | quote }} }
{{- end }}
- { name: LYDIA_KAFKA__CREATE_TOPICS, value: {{ .createTopics | quote }} }
{{- end }}
{{- end }}
{{- end }}
{{- if and $values.triton.enabled (has .name (list "chat" "speech" "motion")) }}
- { name: LYDIA_TRITON__SERVERS, value: {{ include "lydia.tritonServers" .root | quote }} }
{{- end }}
{{- if and $values.ray.enabled (eq .name "audience") (not .replica) }}
- { name: LYDIA_RAY__URL, value: "http://{{ include "lydia.fullname" .root }}-audience-serve-svc:8000" }
{{- end }}
{{- with include "lydia.otlpEndpoint" .root }}
- { name: LYDIA_TELEMETRY__OTLP_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- range include "lydia.secrets" . | fromJsonArray }}
- { name: {{ index . 0 }}, value: /run/secrets/lydia/{{ index . 1 }} }
{{- end }}
{{- if include "lydia.words" . }}
- { name: LYDIA_AUDIENCE__WORDS, value: /etc/lydia-words/{{ $values.files.words.key }} }
{{- end }}
{{- if include "lydia.avatar" . }}
- { name: LYDIA_STAGE__AVATAR, value: /srv/lydia-avatar/{{ $values.files.avatar.path }} }
{{- end }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.pod.name=$(POD_NAME),k8s.node.name=$(NODE_NAME),k8s.namespace.name={{ .root.Release.Namespace }}
{{- end }}

{{/* What OTEL_RESOURCE_ATTRIBUTES is made of; must stand before it. */}}
{{- define "lydia.whereabouts" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: NODE_NAME
  valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
{{- end }}

{{- define "lydia.mounts" -}}
- { name: settings, mountPath: /etc/lydia, readOnly: true }
- { name: data, mountPath: /var/lib/lydia }
- { name: tmp, mountPath: /tmp }
{{- if include "lydia.secrets" . | fromJsonArray }}
- { name: secrets, mountPath: /run/secrets/lydia, readOnly: true }
{{- end }}
{{- if include "lydia.words" . }}
- { name: words, mountPath: /etc/lydia-words, readOnly: true }
{{- end }}
{{- if include "lydia.avatar" . }}
- { name: avatar, mountPath: /srv/lydia-avatar, readOnly: true }
{{- end }}
{{- end }}

{{- define "lydia.volumes" -}}
- name: settings
  configMap: { name: {{ include "lydia.fullname" .root }}-settings }
- name: data
  emptyDir: { sizeLimit: 256Mi }
- name: tmp
  emptyDir: { sizeLimit: 256Mi }
{{- with include "lydia.secrets" . | fromJsonArray }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
    {{- range . }}
      - secret: { name: {{ index . 2 }}, items: [{ key: {{ index . 3 }}, path: {{ index . 1 }} }] }
    {{- end }}
{{- end }}
{{- with include "lydia.words" . }}
- name: words
  configMap: { name: {{ . }} }
{{- end }}
{{- with include "lydia.avatar" . }}
- name: avatar
  persistentVolumeClaim: { claimName: {{ . }}, readOnly: true }
{{- end }}
{{- end }}
