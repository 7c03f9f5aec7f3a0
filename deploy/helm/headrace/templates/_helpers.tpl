{{/* The five services: their key in the values, the module that runs, and where it listens. */}}
{{- define "headrace.services" -}}
gateway: {key: gateway, module: headrace_gateway, port: 2200}
flow-manager: {key: flowManager, module: headrace_flow_manager, port: 7101}
scheduler: {key: scheduler, module: headrace_scheduler, port: 7102}
executor: {key: executor, module: headrace_executor, port: 7103}
logging: {key: logging, module: headrace_logging, port: 7105}
{{- end }}

{{- define "headrace.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Called with (dict "root" $ "service" name). */}}
{{- define "headrace.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .service }}
{{- end }}

{{- define "headrace.labels" -}}
{{ include "headrace.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "headrace.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* A variable out of a secret. Called with (dict "name" … "secret" … "key" …). */}}
{{- define "headrace.secret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}

{{/* How the others are found: a headless service's name has the address of every replica. */}}
{{- define "headrace.address" -}}
- name: HEADRACE_{{ .service | upper | replace "-" "_" }}_ADDRESS
  value: dns:///{{ include "headrace.name" .root }}-{{ .service }}:{{ .port }}
{{- end }}

{{- define "headrace.env" -}}
{{- $root := .root }}
{{- $services := fromYaml (include "headrace.services" $root) }}
{{- $calls := dict "gateway" (list "flow-manager" "scheduler" "executor" "logging") "flow-manager" (list "executor" "logging") "scheduler" (list "executor") "executor" (list "flow-manager" "scheduler" "logging") "logging" (list) }}
{{- range get $calls .service }}
{{ include "headrace.address" (dict "root" $root "service" . "port" (get $services .).port) }}
{{- end }}
{{- if eq .service "gateway" }}
- name: HEADRACE_GATEWAY_ADDRESS
  value: dns:///{{ include "headrace.name" $root }}-gateways:7104
- name: HEADRACE_GATEWAY_LISTEN
  value: 0.0.0.0:7104
- name: HEADRACE_HOST
  value: 0.0.0.0
- name: HEADRACE_PORT
  value: {{ .port | quote }}
- name: HEADRACE_PUBLIC_URL
  value: {{ $root.Values.publicUrl | quote }}
{{- else }}
- name: HEADRACE_{{ .service | upper | replace "-" "_" }}_LISTEN
  value: 0.0.0.0:{{ .port }}
{{- end }}
{{- if or (eq .service "flow-manager") (eq .service "executor") }}
{{ include "headrace.secret" (dict "name" "HEADRACE_MONGO_URL" "secret" $root.Values.mongo.secret "key" $root.Values.mongo.key) }}
- name: HEADRACE_MONGO_NAMESPACE
  value: {{ $root.Values.mongo.namespace | quote }}
{{- end }}
{{- if or (eq .service "flow-manager") (eq .service "executor") (eq .service "logging") }}
{{ include "headrace.secret" (dict "name" "HEADRACE_RABBITMQ_URL" "secret" $root.Values.rabbitmq.secret "key" $root.Values.rabbitmq.key) }}
- name: HEADRACE_RABBITMQ_NAMESPACE
  value: {{ $root.Values.rabbitmq.namespace | quote }}
{{- end }}
{{- if and (eq .service "flow-manager") $root.Values.admin.secret }}
- name: HEADRACE_ADMIN_EMAIL
  value: {{ $root.Values.admin.email | quote }}
{{ include "headrace.secret" (dict "name" "HEADRACE_ADMIN_PASSWORD" "secret" $root.Values.admin.secret "key" $root.Values.admin.key) }}
{{- end }}
{{- if and (eq .service "flow-manager") $root.Values.vault.secret }}
{{ include "headrace.secret" (dict "name" "HEADRACE_VAULT_KEYS" "secret" $root.Values.vault.secret "key" $root.Values.vault.key) }}
{{- end }}
{{- if eq .service "scheduler" }}
{{ include "headrace.secret" (dict "name" "HEADRACE_REDIS_URL" "secret" $root.Values.redis.secret "key" $root.Values.redis.key) }}
- name: HEADRACE_REDIS_NAMESPACE
  value: {{ $root.Values.redis.namespace | quote }}
{{- end }}
{{- if eq .service "executor" }}
- name: HEADRACE_PUBLIC_URL
  value: {{ $root.Values.publicUrl | quote }}
- name: HEADRACE_METRICS_LISTEN
  value: 0.0.0.0:9090
{{- end }}
{{- if eq .service "logging" }}
{{ include "headrace.secret" (dict "name" "HEADRACE_ELASTICSEARCH_URL" "secret" $root.Values.elasticsearch.secret "key" $root.Values.elasticsearch.key) }}
- name: HEADRACE_ELASTICSEARCH_PREFIX
  value: {{ $root.Values.elasticsearch.prefix | quote }}
- name: HEADRACE_ELASTICSEARCH_SHARDS
  value: {{ $root.Values.elasticsearch.shards | quote }}
- name: HEADRACE_ELASTICSEARCH_REPLICAS
  value: {{ $root.Values.elasticsearch.replicas | quote }}
{{- if $root.Values.elasticsearch.caSecret }}
- name: HEADRACE_ELASTICSEARCH_CA
  value: /etc/headrace/elasticsearch/ca.pem
{{- end }}
- name: HEADRACE_LOG_INDEXING
  value: {{ $root.Values.logs.indexing }}
- name: HEADRACE_LOG_RETENTION
  value: {{ $root.Values.logs.retention }}
{{- end }}
{{- if $root.Values.tls.enabled }}
- name: HEADRACE_RPC_CA
  value: /etc/headrace/tls/ca.pem
- name: HEADRACE_RPC_CERT
  value: /etc/headrace/tls/tls.crt
- name: HEADRACE_RPC_KEY
  value: /etc/headrace/tls/tls.key
{{- end }}
{{- end }}

{{/* What asks whether a service takes work. The kubelet's own gRPC probe shows no certificate. */}}
{{- define "headrace.probe" -}}
{{- if eq .service "gateway" }}
httpGet: {path: /health/{{ .gateway }}, port: serving}
{{- else if .root.Values.tls.enabled }}
exec: {command: [python, -m, headrace_runtime.probe, {{ .service }}]}
{{- else }}
grpc: {port: {{ .port }}}
{{- end }}
{{- end }}
