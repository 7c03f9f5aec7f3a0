/** Integrations that are ready to use, and automations of one's own, in one place. */
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

/** What it tells, and with what data. Each is the host's to do once it listens, and has a `-after`. */
export interface AutomationHubEvents {
  /** `flowId`, `flow` */
  'flow:open-wizard': object;
  /** `flowId`, `flow` */
  'flow:open-designer': object;
  /** After it `flowId` */
  'flow:create': object;
  /** `flowId` */
  'flow:start': object;
  /** `flowId` */
  'flow:stop': object;
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
