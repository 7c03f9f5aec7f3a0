/** Integrations that are ready to use, and automations of one's own, in one place. */
import type { FlowRecord } from '../../kit/api.ts';
import type { Act, Nothing } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import integrations from '../integrations/integrations.css?inline';
import Root from './AutomationHub.svelte';
import css from './hub.css?inline';
import { STRINGS } from './strings.ts';

export interface AutomationHubOptions {
  showHeader?: boolean;
  /** Integrations that are shown at all: a field, dotted where it lies deeper, and its value */
  customFilter?: Readonly<Record<string, unknown>>;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface AutomationHubEvents {
  'flow:open-wizard': Act<{ flowId: string; flow: FlowRecord }>;
  'flow:open-designer': Act<{ flowId: string; flow: FlowRecord }>;
  'flow:create': Act<Nothing, { flowId: string }>;
  'flow:start': Act<{ flowId: string }>;
  'flow:stop': Act<{ flowId: string }>;
}

/** What it shows just now, by path. */
export interface AutomationHubState {
  /** `integrations` or `automations` */
  'tab': string;
  /** What is searched for */
  'query/pattern': string;
  /** A category of templates */
  'query/category': string;
}

export default view(Root, { css: integrations + css, strings: STRINGS, defaults: { showHeader: true } satisfies AutomationHubOptions });
