/** The places of the page: an address, and the widget that is there. */
import type { IconName } from '../kit/icons.ts';

export interface Place {
  /** The first part of its address. */
  path: string;
  label: string;
  icon: IconName;
  widget: string;
  /** The state of the widget that the second part of the address is. */
  part?: string;
}

export const PLACES: readonly Place[] = [
  { path: 'flows', label: 'Flows', icon: 'flows', widget: 'FlowManager' },
  { path: 'integrations', label: 'Integrations', icon: 'puzzle', widget: 'Integrations' },
  { path: 'runs', label: 'Runs', icon: 'runs', widget: 'Runs', part: 'runId' },
  { path: 'insights', label: 'Insights', icon: 'chart', widget: 'InsightsDashboard' },
  { path: 'logs', label: 'Logs', icon: 'logs', widget: 'InsightsLogs' },
  { path: 'people-tasks', label: 'People tasks', icon: 'task', widget: 'PeopleTasks', part: 'taskId' },
  { path: 'accounts', label: 'Accounts', icon: 'key', widget: 'Accounts' },
  { path: 'stores', label: 'Data stores', icon: 'store', widget: 'Storage', part: 'storeId' },
  { path: 'files', label: 'Files', icon: 'file', widget: 'Files' },
  { path: 'connectors', label: 'Connectors', icon: 'plug', widget: 'Connectors', part: 'app' },
];

export interface Address {
  place: string;
  part: string;
  query: URLSearchParams;
}

/** What an address of the page means. */
export function read(url: URL | Location): Address {
  const [place = '', part = ''] = url.pathname.split('/').slice(1).map(decoded);
  return { place: place || 'flows', part, query: new URLSearchParams(url.search) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody wrote the address by hand
  }
}

export function write(place: string, part = ''): string {
  if (place === 'flows' && !part) return '/';
  return `/${place}${part ? `/${encodeURIComponent(part)}` : ''}`;
}
