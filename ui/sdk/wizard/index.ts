/** The way from a template to an integration that runs, and the settings of one that is there. */
import type { Act, Told } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './wizard.css?inline';
import { STRINGS } from './strings.ts';
import Root from './Wizard.svelte';

/** `flowId` of the configuration is a template, of which a copy is made, or an integration of the user's. */
export interface WizardOptions {
  /** Its own head, with its name and a button that closes it */
  showHeader?: boolean;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface WizardEvents {
  /** A copy of the template is made */
  'integration:create': Act<{ templateId: string }, { integrationId: string }>;
  'flow:start': Act<{ flowId: string }>;
  'flow:stop': Act<{ flowId: string }>;
  'flow:remove': Act<{ flowId: string }>;
  /** Changes were saved */
  'flow:save': Told<{ flowId: string }>;
  /** It was called off, and nothing is left behind */
  cancel: Told<{ flowId: string }>;
}

export default view(Root, { css, strings: STRINGS });
