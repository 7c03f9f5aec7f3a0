/** The places of the page: an address, and the widget that is there. */
import type { IconName } from '../kit/icons.ts';
import type { Key } from '../kit/l10n.ts';
import type { STRINGS } from './strings.ts';

export interface Place {
  /** The first part of its address. */
  path: string;
  label: Key<typeof STRINGS>;
  icon: IconName;
  widget: string;
  /** The state of the widget that the second part of the address is. */
  part?: string;
}

export const PLACES: readonly Place[] = [
  { path: 'flows', label: 'places.flows', icon: 'flows', widget: 'FlowManager' },
  { path: 'integrations', label: 'places.integrations', icon: 'puzzle', widget: 'Integrations' },
  { path: 'runs', label: 'places.runs', icon: 'runs', widget: 'Runs', part: 'runId' },
  { path: 'insights', label: 'places.insights', icon: 'chart', widget: 'InsightsDashboard' },
  { path: 'logs', label: 'places.logs', icon: 'logs', widget: 'InsightsLogs' },
  { path: 'people-tasks', label: 'places.peopleTasks', icon: 'task', widget: 'PeopleTasks', part: 'taskId' },
  { path: 'accounts', label: 'places.accounts', icon: 'key', widget: 'Accounts' },
  { path: 'stores', label: 'places.stores', icon: 'store', widget: 'Storage', part: 'storeId' },
  { path: 'files', label: 'places.files', icon: 'file', widget: 'Files' },
  { path: 'connectors', label: 'places.connectors', icon: 'plug', widget: 'Connectors', part: 'app' },
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
