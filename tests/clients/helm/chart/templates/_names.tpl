{{- define "labels" -}}
app.kubernetes.io/name: {{ .Values.selector }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
