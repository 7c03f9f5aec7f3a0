/** What the widgets of insights and of integrations ask the API for, by name. */
import type { ChartDocument } from './chart/data.ts';
import type { JsonObject } from './types.ts';

export interface Calls {
  get<T>(url: string): Promise<T>;
  post<T>(url: string, data: unknown): Promise<T>;
  request<T>(options: { method: string; url: string; data?: unknown }): Promise<T>;
  at(...parts: (string | number)[]): string;
}

export interface LogAsked {
  query?: string;
  flowIds?: readonly string[];
  portType?: string;
  size?: number;
  sort?: string;
  searchAfter?: readonly unknown[];
  trace?: boolean;
  allTenants?: boolean;
  aggs?: JsonObject;
}

export interface LogFound {
  hits: JsonObject[];
  aggregations?: JsonObject;
}

export interface ComponentUpdate {
  componentId: string;
  type: string;
  label: string;
  change: 'added' | 'removed' | 'changed';
  fields: string[];
  kept: string[];
}

export interface InstanceUpdate {
  flowId: string;
  stage: string;
  templateVersion: number;
  result: 'updated' | 'unchanged' | 'failed';
  components: ComponentUpdate[];
  linksAdded: number;
  linksRemoved: number;
  /** Services that its owner has to connect first. */
  needsAccounts: string[];
  error?: string;
}

export interface Preview {
  version: number;
  totalCount: number;
  instances: InstanceUpdate[];
}

export interface WorkStatus {
  status: 'in-progress' | 'completed' | 'failed';
  stepsTotal: number;
  stepsCompleted: number;
  stepsFailed?: number;
  /** Instances that have the version and wait for an account. */
  stepsWaiting?: number;
  error?: string;
}

export function insightsApi({ get, post, request, at }: Calls) {
  return {
    getCharts: (query: Record<string, string> = {}) => get<(ChartDocument & { chartId: string })[]>(`/charts?${new URLSearchParams({ limit: '1000', ...query })}`),
    getChart: (id: string) => get<ChartDocument & { chartId: string }>(at('charts', id)),
    createChart: async (chart: ChartDocument) => (await post<{ chartId: string }>('/charts', chart)).chartId,
    updateChart: (id: string, changes: Partial<ChartDocument>) => request<{ chartId: string }>({ method: 'PUT', url: at('charts', id), data: changes }),
    deleteChart: (id: string) => request<{ chartId: string }>({ method: 'DELETE', url: at('charts', id) }),
    /** Search the log, and count what is found where `aggs` asks for it. */
    queryLogs: ({ query = '', flowIds = [], portType = '', size = 0, sort = '', searchAfter = [], trace = false, allTenants = false, aggs }: LogAsked) => {
      const asked = new URLSearchParams({ size: String(size) });
      if (query) asked.set('query', query);
      if (portType) asked.set('portType', portType);
      if (trace) asked.set('trace', 'true');
      if (allTenants) asked.set('allTenants', 'true');
      for (const each of sort.split(' ').filter(Boolean)) asked.append('sort', each);
      for (const each of flowIds) asked.append('flowId', each);
      for (const each of searchAfter) asked.append('searchAfter', each === null ? 'null' : String(each));
      return post<LogFound>(`/logs?${asked}`, aggs && Object.keys(aggs).length ? { aggs } : {});
    },
    getLog: (index: string, id: string) => get<JsonObject>(at('logs', index, id)),
    /** A copy of a template that is the caller's own. */
    createInstance: async (templateId: string, additional: JsonObject = {}) =>
      (await post<{ cloneId: string }>(at('flows', templateId, 'clone'), { isTemplateInstance: true, setComponentIdMap: true, projection: '-sharedWith,-thumbnail', additional })).cloneId,
    publishDraft: (id: string, sharedWith?: readonly unknown[]) =>
      post<{ templateId: string; version: number; result: string }>(`${at('drafts', id, 'publish')}?forceUpdate=true`, sharedWith ? { sharedWith } : {}),
    previewUpdate: (templateId: string, after = '', limit = 100) => get<Preview>(`${at('integrations', templateId, 'update-preview')}?${new URLSearchParams({ limit: String(limit), ...(after ? { after } : {}) })}`),
    updateInstances: async (templateId: string, inProgressData: 'keep' | 'delete' = 'keep') =>
      (await post<{ ticket: string }>(at('integrations', templateId, 'update-integration-instances'), { inProgressData })).ticket,
    getIntegrationStatus: (ticket: string) => get<WorkStatus>(at('integrations', 'status', ticket)),
    deleteIntegration: async (id: string) => (await request<{ ticket: string }>({ method: 'DELETE', url: at('integrations', id) })).ticket,
  };
}
