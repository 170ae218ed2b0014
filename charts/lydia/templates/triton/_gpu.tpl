{{/* The name under which nodes offer what Triton runs on; empty for CPUs. */}}
{{- define "lydia.gpu" -}}
{{- $device := .Values.triton.device -}}
{{- $usual := dict "gpu" "nvidia.com/gpu" "shared" "nvidia.com/gpu.shared" -}}
{{- if ne $device.kind "cpu" }}{{ default (get $usual $device.kind) $device.resource }}{{ end -}}
{{- end }}
