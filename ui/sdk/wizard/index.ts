/** The way from a template to an integration that runs, and the settings of one that is there. */
import { view } from '../../kit/view.ts';
import css from './wizard.css?inline';
import { STRINGS } from './strings.ts';
import Root from './Wizard.svelte';

/** `flowId` of the configuration is a template, of which a copy is made, or an integration of the user's. */
export interface WizardOptions {
  /** Its own head, with its name and a button that closes it */
  showHeader?: boolean;
}

/** What it tells, and with what data. Each of the first five is the host's to do once it listens, and has a `-after`. */
export interface WizardEvents {
  /** `templateId`; after it `integrationId` */
  'integration:create': object;
  /** `flowId` */
  'flow:start': object;
  /** `flowId` */
  'flow:stop': object;
  /** `flowId` */
  'flow:remove': object;
  /** `flowId`; changes were saved */
  'flow:save': object;
  /** `flowId`; it was called off, and nothing is left behind */
  'cancel': object;
  /** It has left the page */
  'close': object;
}

export default view(Root, { css, strings: STRINGS });
