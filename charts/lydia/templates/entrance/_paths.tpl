{{/* What people and platforms may reach: no health, no figures, no description of the calls. */}}
{{- define "lydia.gatewayPrefix" -}}
/platforms
{{- end }}
{{- define "lydia.messages" -}}
/rooms/[A-Za-z0-9_-]+/messages
{{- end }}
{{- define "lydia.stagePrefixes" -}}
[/rooms, /console, /assets, /avatar]
{{- end }}
