{{/* The name of everything that lies in the release's namespace. */}}
{{- define "hyperstudy.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{/* The namespace whose studies are served; empty: all. */}}
{{- define "hyperstudy.served" -}}
{{- if eq .Values.scope "namespace" }}{{ .Values.namespace | default .Release.Namespace }}{{ end -}}
{{- end }}

{{/* The name of what lies in no namespace: several releases that serve one namespace each may be in one cluster. */}}
{{- define "hyperstudy.clusterName" -}}
{{ include "hyperstudy.name" . }}{{ with include "hyperstudy.served" . }}-{{ . }}{{ end }}
{{- end }}

{{- define "hyperstudy.selector" -}}
app.kubernetes.io/name: hyperstudy
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hyperstudy.labels" -}}
{{ include "hyperstudy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* As the API server names the controller. */}}
{{- define "hyperstudy.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "hyperstudy.name" . }}
{{- end }}

{{- define "hyperstudy.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "hyperstudy.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* What the controller may do where studies are. */}}
{{- define "hyperstudy.rules" -}}
- apiGroups: [hyperstudy.dev]
  resources: [hyperparameterstudies]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [hyperstudy.dev]
  resources: [hyperparametertrials]
  verbs: [get, list, watch, create, patch]
- apiGroups: [hyperstudy.dev]
  resources: [hyperparameterstudies/status, hyperparametertrials/status]
  verbs: [patch]
# A study's deletion waits for its trials; where the API server guards that, owning them takes this.
- apiGroups: [hyperstudy.dev]
  resources: [hyperparameterstudies/finalizers]
  verbs: [update]
- apiGroups: [argoproj.io]
  resources: [workflows]
  verbs: [get, list, watch, create, patch]
- apiGroups: [argoproj.io]
  resources: [workflowtemplates]
  verbs: [get]
# S3 credentials and artifact repositories: by name, never listed.
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get]
# Whether a trial's pod was preempted or evicted; whether pods of an earlier study of the same name are left.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [""]
  resources: [events]
  verbs: [get, create, patch]
{{- end }}
