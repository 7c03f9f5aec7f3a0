/** The REST API by name. Each function may be replaced by the host; nothing is kept between calls. */
import { insightsApi } from './insights-api.ts';
import type { Flow, Form, JsonObject, Manifest, Modifier, Offer, Transform } from './types.ts';

export interface FlowRecord {
  flowId: string;
  name: string;
  flow: Flow;
  stage: string;
  revision: number;
  version: number;
  mtime: string;
  description?: string;
  /** Services of which a copy of an integration has no account yet: its newest version waits for them. */
  needsAccounts?: string[];
  [key: string]: unknown;
}

export interface Step {
  stepId: string;
  componentId: string;
  componentType: string;
  port: string;
  outcome: string;
  attempts: number;
  input: unknown;
  outputs: { port: string; content: unknown }[];
  error: string | null;
  started: string | null;
  finished: string | null;
  /** What a person said when nobody knew whether it happened. */
  decision?: { verdict: Verdict; userId: string; decided: string };
}
export type Verdict = 'happened' | 'retry' | 'skip';

export interface Run {
  runId: string;
  flowId: string;
  flowVersion: number;
  triggerId: string;
  /** What it came of; see `originOf`. */
  eventId: string;
  state: string;
  stepCount: number;
  failedCount: number;
  created: string;
  updated: string;
  error: string | null;
  steps?: Step[];
  waits?: Wait[];
}

/** The run whose event this one came of again; empty for one with an event of its own. */
export const originOf = (run: Run): string => /^replay:([^:]+):/.exec(run.eventId)?.[1] ?? '';

export interface Version {
  version: number;
  label: string;
  btime: string;
  flow: Flow;
}

export interface Failed {
  messageId: string;
  componentId: string;
  runId?: string;
  err?: { message?: string; code?: string };
  created: string;
}

export interface Account {
  accountId: string;
  name: string;
  displayName: string | null;
  accessTokenValid: boolean;
  scopeValid: boolean;
  reason: string | null;
  componentAssigned: boolean;
}

/** How accounts of a service are opened, and which there are. */
export interface Authorization {
  service: string;
  type: string;
  /** The fields of a form, where there is one. */
  auth?: Record<string, AuthField>;
  accounts: Record<string, Account>;
}

export interface AuthField {
  type?: string;
  name?: string;
  tooltip?: string;
  defaultValue?: string;
  options?: (string | { value?: string; content?: string; label?: string })[];
}

/** The account that a step uses now. */
export interface Binding {
  accountId: string | null;
  accessTokenValid: boolean;
  account?: { reason?: string | null } | null;
}

interface Ticket {
  finished: boolean;
  accountId: string | null;
  error?: string;
}

export interface FileRecord {
  fileId: string;
  filename: string;
  length: number;
  contentType: string;
  uploadDate: string;
}

/** A part of a file that is sent, counted from 1. */
export interface Chunk {
  fileId: string;
  name: string;
  /** Bytes of every part but the last. */
  size: number;
  number: number;
  total: number;
  signal: AbortSignal;
}

export interface AccountRecord {
  accountId: string;
  tokenId: string;
  userId: string;
  service: string;
  type: string;
  name: string;
  displayName: string | null;
  label: string;
  icon: string | null;
  state: string;
  accessTokenValid: boolean;
  reason: string | null;
  created: string;
  sharedWith?: Share[];
}

export interface StoreRecord {
  storeId: string;
  name: string;
}

export interface RecordOfStore {
  key: string;
  storeId: string;
  value: unknown;
  createdAt: string;
  updatedAt: string;
}

export interface PeopleTask {
  taskId: string;
  title: string;
  description?: string;
  status: string;
  approver: string;
  requester: string;
  decisionBy?: string;
  decisionMade?: string;
  created: string;
  revision: number;
  isApprover?: boolean;
}

/** What became of an archive of components; nothing until it is finished. */
export interface Publication {
  finished?: string;
  components?: string[];
  err?: string;
  data?: { file?: string; message?: string; fix?: string }[];
}

/** What a run waits for, in one sentence. */
export interface Wait {
  stepId: string;
  componentId: string;
  kind: string;
  reason: string;
  due: string | null;
  attempts: number;
}

export interface App {
  name: string;
  label: string;
  category: string;
  categoryLabel?: string;
  description?: string;
  icon?: string;
  index?: number;
}

/** Somebody a flow is shared with: by `email`, `domain` or `scope`, and what they may do. */
export interface Share {
  permissions: string[];
  [kind: string]: unknown;
}

/** A kind of those one can share with, such as people by their email. */
export interface ShareType {
  label: string;
  value: string;
  placeholder?: string;
}

export interface SharePermission {
  label: string;
  value: string;
}

export interface RequestOptions {
  method?: string;
  url: string;
  data?: unknown;
  /** What is sent as it is, in place of `data`. */
  body?: FormData | Blob;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** What the API said no with. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problems: JsonObject[];

  constructor(status: number, code: string, message: string, problems: JsonObject[] = []) {
    super(message);
    this.status = status;
    this.code = code;
    this.problems = problems;
  }
}

/** Parameters of a URL; a list stands for one that is given several times. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export function asked(query: Query): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) for (const each of Array.isArray(value) ? (value as string[]) : [value]) if (each !== undefined && each !== '') found.append(name, String(each));
  return found.size ? `?${found}` : '';
}

export interface Connection {
  baseUrl: string;
  token(isStale: boolean): Promise<string>;
  onUnauthorized?(): void;
  /** Ends the reads that have no signal of their own. */
  signal?: AbortSignal;
}

const PATIENCE_MS = 30_000;
const UPLOAD_MS = 10 * 60_000;

function part(content: Blob, name: string): FormData {
  const body = new FormData();
  body.append('file', content, name);
  return body;
}

export type Api = ReturnType<typeof createApi>;

export function createApi(connection: Connection) {
  async function raw({ method = 'GET', url, data, body, headers = {}, signal }: RequestOptions, isAgain = false): Promise<Response> {
    const token = await connection.token(isAgain);
    const response = await fetch(connection.baseUrl + url, {
      method,
      headers: {
        accept: 'application/json',
        ...(data === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      ...(body ? { body } : data === undefined ? {} : { body: JSON.stringify(data) }),
      signal: signal ?? patience(method),
    });
    if (response.status === 401 && !isAgain && token) return raw({ method, url, data, headers, ...(body ? { body } : {}), ...(signal ? { signal } : {}) }, true);
    if (response.status === 401) connection.onUnauthorized?.();
    if (response.ok) return response;
    const said = (await response.json().catch(() => ({}))) as JsonObject;
    throw new ApiError(
      response.status,
      String(said['code'] ?? ''),
      String(said['message'] ?? `The server answered ${response.status}. Try again.`),
      Array.isArray(said['problems']) ? (said['problems'] as JsonObject[]) : [],
    );
  }

  function patience(method: string): AbortSignal {
    const time = AbortSignal.timeout(PATIENCE_MS);
    return connection.signal && method === 'GET' ? AbortSignal.any([connection.signal, time]) : time;
  }

  async function request<T>(options: RequestOptions): Promise<T> {
    return (await (await raw(options)).json()) as T;
  }

  const read = <T>(url: string): Promise<T> => request<T>({ url });
  const post = <T>(url: string, data: unknown): Promise<T> => request<T>({ method: 'POST', url, data });
  const at = (...parts: (string | number)[]): string => parts.map((part) => `/${encodeURIComponent(part)}`).join('');

  return {
    raw,
    request,
    /** The name that replaced functions of Appmixer's SDK call it by. */
    _request: request,
    get: (key: 'baseUrl') => (key === 'baseUrl' ? connection.baseUrl : undefined),
    authenticateUser: (username: string, password: string) =>
      post<{ user: JsonObject; token: string }>('/user/auth', { username, password }),
    signupUser: (username: string, password: string, email?: string) =>
      post<{ user: JsonObject; token: string }>('/user', { username, password, ...(email ? { email } : {}) }),
    signOut: () => request<unknown>({ method: 'POST', url: '/user/sign-out', data: {} }),
    getUser: () => read<JsonObject>('/user'),
    getFlows: (query: Query = {}) =>
      read<FlowRecord[]>(`/flows${asked({ sort: 'mtime:-1', limit: '200', projection: '-flow,-thumbnail,-svg', ...query })}`),
    getFlowsCount: async (query: Query = {}) => (await read<{ count: number }>(`/flows/count${asked(query)}`)).count,
    getFlow: (id: string) => read<FlowRecord>(at('flows', id)),
    createFlow: async (name: string, flow: Flow = {}, properties: JsonObject = {}) =>
      (await post<{ flowId: string }>('/flows', { ...properties, name, flow })).flowId,
    updateFlow: async (id: string, update: JsonObject, revision = 0, isForced = false): Promise<number> => {
      const response = await raw({
        method: 'PUT',
        url: at('flows', id) + (isForced ? '?forceUpdate=true' : ''),
        data: update,
        headers: revision ? { 'if-match': `"${revision}"` } : {},
      });
      return Number(/\d+/.exec(response.headers.get('etag') ?? '')?.[0] ?? 0);
    },
    deleteFlow: (id: string) => request<unknown>({ method: 'DELETE', url: at('flows', id) }),
    cloneFlow: async (id: string) => (await post<{ cloneId: string }>(at('flows', id, 'clone'), {})).cloneId,
    startFlow: (id: string) => post<{ stage: string }>(at('flows', id, 'coordinator'), { command: 'start' }),
    stopFlow: (id: string) => post<{ stage: string }>(at('flows', id, 'coordinator'), { command: 'stop' }),
    getComponents: () => read<Manifest[]>('/components?manifest=yes&private=no'),
    getApps: () => read<Record<string, App>>('/apps'),
    getVariables: (id: string, component: string) =>
      post<{ components: Record<string, Offer> }>(at('variables', id, 'fetch'), { components: { IDs: [component] } }),
    getModifiers: () =>
      read<{ categories: Record<string, { label: string; index: number }>; modifiers: Record<string, Modifier> }>('/modifiers'),
    tryTransform: (transform: Transform, outputs: JsonObject) => post<JsonObject>('/modifiers/transform', { transform, outputs }),
    callComponent: (url: string, data: JsonObject) => post<unknown>(url, data),
    getAuth: (subject: string, flowId = '', componentId = '') =>
      read<{ auth: Authorization }>(`${at('auth', subject)}?${new URLSearchParams({ ...(flowId ? { flowId } : {}), ...(componentId ? { componentId } : {}) })}`),
    getAccounts: (query: Query = {}) => read<AccountRecord[]>(`/accounts${asked(query)}`),
    getAccountsCount: async (query: Query = {}) => (await read<{ count: number }>(`/accounts/count${asked(query)}`)).count,
    getAccountFlows: (id: string) => read<{ flowId: string; name: string; stage?: string; components: string[] }[]>(at('accounts', id, 'flows')),
    setAccountName: (id: string, displayName: string) => request<AccountRecord>({ method: 'PUT', url: at('accounts', id), data: { displayName } }),
    shareAccount: (id: string, sharedWith: Share[]) => request<AccountRecord>({ method: 'PUT', url: at('accounts', id), data: { sharedWith } }),
    deleteAccount: (id: string) => request<unknown>({ method: 'DELETE', url: at('accounts', id) }),
    getAccountsOfFlow: (id: string) => read<{ components: Record<string, Binding> }>(at('accounts', 'flow', id)),
    createAccount: (service: string, token: JsonObject) => post<{ accountId: string }>('/accounts', { service, token }),
    assignAccount: (flowId: string, componentId: string, accountId: string) =>
      request<unknown>({ method: 'PUT', url: `${at('auth', 'component', componentId, accountId)}?flowId=${encodeURIComponent(flowId)}` }),
    unassignAccount: (flowId: string, componentId: string) =>
      request<unknown>({ method: 'DELETE', url: `${at('auth', 'component', componentId)}?flowId=${encodeURIComponent(flowId)}` }),
    testAccount: (id: string) => post<Record<string, string>>(at('accounts', id, 'test'), {}),
    openTicket: async () => (await post<{ ticket: string }>('/auth/ticket', {})).ticket,
    getAuthUrl: async (subject: string, ticket: string, query: Record<string, string>) =>
      (await read<{ authUrl: string }>(`${at('auth', subject, 'auth-url', ticket)}?${new URLSearchParams(query)}`)).authUrl,
    getTicket: (ticket: string) => read<Ticket>(at('auth', 'status', ticket)),
    getFiles: (query: Query = {}) => read<FileRecord[]>(`/files${asked({ sort: 'uploadDate:-1', limit: 100, ...query })}`),
    getFilesCount: async (query: Query = {}) => (await read<{ count: number }>(`/files/count${asked(query)}`)).count,
    deleteFile: (id: string) => request<unknown>({ method: 'DELETE', url: at('files', id) }),
    /** A part of a file, in order; the last one answers with the file. */
    uploadChunk: (content: Blob, { fileId, name, size, number, total, signal }: Chunk) =>
      raw({ method: 'POST', url: '/files', body: part(content, name), headers: { 'uploader-file-id': fileId, 'uploader-file-name': encodeURIComponent(name), 'uploader-chunk-size': String(size), 'uploader-chunk-number': String(number), 'uploader-chunks-total': String(total) }, signal }).then((response) => response.json() as Promise<FileRecord>),
    /** What is at an address of the API, to be saved. */
    download: async (url: string) => (await raw({ url, headers: { accept: '*/*' }, signal: AbortSignal.timeout(UPLOAD_MS) })).blob(),
    getStores: (query: Query = {}) => read<StoreRecord[]>(`/stores${asked({ limit: 1000, ...query })}`),
    createStore: async (name: string) => (await post<{ storeId: string }>('/stores', { name })).storeId,
    renameStore: (id: string, name: string) => request<unknown>({ method: 'PUT', url: at('stores', id), data: { name } }),
    deleteStore: (id: string) => request<unknown>({ method: 'DELETE', url: at('stores', id) }),
    getStoreRecords: (storeId: string, query: Query = {}) => read<RecordOfStore[]>(`/store${asked({ storeId, ...query })}`),
    getStoreRecordsCount: async (storeId: string, query: Query = {}) => (await read<{ count: number }>(`/store/count${asked({ storeId, ...query })}`)).count,
    putStoreRecord: (storeId: string, key: string, value: unknown) => post<RecordOfStore>(at('store', storeId, key), value),
    changeStoreRecord: (storeId: string, key: string, change: { key?: string; value?: unknown }) => request<RecordOfStore>({ method: 'PATCH', url: at('store', storeId, key), data: change }),
    deleteStoreRecords: (items: { storeId: string; key: string }[]) => request<{ deletedCount: number }>({ method: 'DELETE', url: '/store', data: items }),
    clearStore: (storeId: string) => request<{ deletedCount: number }>({ method: 'DELETE', url: `${at('store', storeId)}/*` }),
    getPeopleTasks: (query: Query = {}) => read<PeopleTask[]>(`/people-task/tasks${asked(query)}`),
    getPeopleTasksCount: async (query: Query = {}) => (await read<{ count: number }>(`/people-task/tasks-count${asked(query)}`)).count,
    getPeopleTask: (id: string, secret = '') => read<PeopleTask>(`${at('people-task', 'tasks', id)}${asked({ secret })}`),
    decidePeopleTask: (task: { taskId: string; revision: number }, verb: 'approve' | 'reject', secret = '') =>
      request<PeopleTask>({ method: 'PUT', url: at('people-task', 'tasks', task.taskId, verb), data: secret ? { secret } : {}, headers: { 'if-match': `"${task.revision}"` } }),
    getAppComponents: (app: string) => read<Manifest[]>(`/apps/components${asked({ app })}`),
    getBundles: () => read<Record<string, { version?: string }>>('/bundles'),
    publishComponents: async (archive: Blob) => ((await (await raw({ method: 'POST', url: '/components', body: archive, headers: { 'content-type': 'application/octet-stream' }, signal: AbortSignal.timeout(UPLOAD_MS) })).json()) as { ticket: string }).ticket,
    getPublication: (ticket: string) => read<Publication>(at('components', 'uploader', ticket)),
    removeComponents: (selector: string, isForced = false) => request<{ components: string[] }>({ method: 'DELETE', url: `${at('components', selector)}${isForced ? '?force=yes' : ''}` }),
    uploadFile: (file: File) => {
      return request<FileRecord>({ method: 'POST', url: '/files', body: part(file, file.name), signal: AbortSignal.timeout(UPLOAD_MS) });
    },
    /** With `waits` each says what it waits for, in a page of 100 at most. */
    getRuns: (query: string | Query) => read<{ items: Run[]; totalCount: number }>(`/runs${asked({ limit: 50, ...(typeof query === 'string' ? { flowId: query } : query) })}`),
    getRun: (id: string) => read<Run>(at('runs', id)),
    /** Another run with the event of this one. Under one `eventId` it is one run. */
    replayRun: (id: string, eventId: string) => post<{ runId: string; flowId: string }>(at('runs', id, 'replay'), { eventId }),
    cancelRun: (id: string) => post<Run>(at('runs', id, 'cancel'), {}),
    getLogs: (query: Record<string, string>) => read<{ hits: JsonObject[] }>(`/logs?${new URLSearchParams(query)}`),
    getVersions: (id: string) => read<{ items: Version[]; totalCount: number }>(`${at('flows', id, 'versions')}?limit=50`),
    restoreVersion: (id: string, version: number) =>
      post<{ version: number }>(`${at('flows', id, 'versions', version, 'restore')}?forceUpdate=true`, {}),
    getUnprocessed: (flowId: string) => read<Failed[]>(`/unprocessed-messages?flowId=${encodeURIComponent(flowId)}`),
    decideStep: (runId: string, stepId: string, verdict: Verdict, outputs?: unknown) => post<unknown>(at('runs', runId, 'steps', stepId, 'decision'), { verdict, ...(outputs === undefined ? {} : { outputs }) }),
    retryUnprocessed: (id: string) => post<unknown>(at('unprocessed-messages', id), {}),
    ...insightsApi({ get: read, post, request, at }),
    stream: (url: string, data: unknown, signal: AbortSignal) =>
      raw({ url, signal, headers: { accept: 'text/event-stream' }, ...(data === undefined ? {} : { method: 'POST', data }) }),
  };
}

export type { Form };
