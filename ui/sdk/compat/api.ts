/** Functions of Appmixer's api module that ours has under another name or with other arguments. */

export type Ask = (options: { method?: string; url: string; data?: unknown }) => Promise<unknown>;
type Query = Record<string, unknown> | undefined;

const at = (...parts: unknown[]): string => parts.map((part) => `/${encodeURIComponent(String(part))}`).join('');

/** Values of a list are given one by one, as the API takes them. */
export function withQuery(path: string, query: Query = {}): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined && each !== null) found.append(name, String(each));
  return found.size ? `${path}?${found}` : path;
}

export function apiOf(ask: Ask): Record<string, (...given: never[]) => Promise<unknown>> {
  const get = (path: string, query?: Query): Promise<unknown> => ask({ url: withQuery(path, query) });
  const count = async (path: string, query?: Query): Promise<unknown> => ((await get(path, query)) as { count: number }).count;
  return {
    createAccount: (params: Query, data: unknown) => ask({ method: 'POST', url: withQuery('/accounts', params), data }),
    setAccountName: (id: string, displayName: string) => ask({ method: 'PUT', url: at('accounts', id), data: { displayName } }),
    deleteAccount: (id: string) => ask({ method: 'DELETE', url: at('accounts', id) }),
    getAccountFlows: (id: string) => get(at('accounts', id, 'flows')),
    getAccounts: (query: Query) => get('/accounts', query),
    getFlows: (query: Query) => get('/flows', query),
    getFlowsCount: (query: Query) => count('/flows/count', query),
    updateFlow: (id: string, update: unknown, params: Query) => ask({ method: 'PUT', url: withQuery(at('flows', id), params), data: update }),
    cloneFlow: async (id: string, options: unknown) => ((await ask({ method: 'POST', url: at('flows', id, 'clone'), data: options ?? {} })) as { cloneId: string }).cloneId,
    getLogs: (query: Query) => get('/logs', query),
    getLog: (id: string, index: string) => get(at('logs', index, id)),
    getCharts: (query: Query) => get('/charts', query),
    getStores: (query: Query) => get('/stores', query),
    getStore: (id: string) => get(at('stores', id)),
    createStore: async (name: string) => ((await ask({ method: 'POST', url: '/stores', data: { name } })) as { storeId: string }).storeId,
    renameStore: (id: string, name: string) => ask({ method: 'PUT', url: at('stores', id), data: { name } }),
    deleteStore: (id: string) => ask({ method: 'DELETE', url: at('stores', id) }),
    getStoreRecords: (query: Query) => get('/store', query),
    getStoreRecordsCount: (query: Query) => count('/store/count', query),
    createStoreItem: (id: string, key: string, value: unknown) => ask({ method: 'POST', url: at('store', id, key), data: value }),
    deleteStoreItems: (items: unknown) => ask({ method: 'DELETE', url: '/store', data: items }),
    getPeopleTasks: (query: Query) => get('/people-task/tasks', query),
    getPeopleTasksCount: (query: Query) => count('/people-task/tasks-count', query),
    getPeopleTask: (id: string, query: Query) => get(at('people-task', 'tasks', id), query),
    approveTask: (id: string, params: Query) => ask({ method: 'PUT', url: withQuery(at('people-task', 'tasks', id, 'approve'), params) }),
    rejectTask: (id: string, params: Query) => ask({ method: 'PUT', url: withQuery(at('people-task', 'tasks', id, 'reject'), params) }),
    sendAppEvent: (event: string, data: unknown) => ask({ method: 'POST', url: `/plugins/appmixer/utils/appevents/events/${encodeURIComponent(event)}`, data }),
  } as Record<string, (...given: never[]) => Promise<unknown>>;
}
