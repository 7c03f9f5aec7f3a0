/** One flow: drawn, run, watched. */
import { mount, unmount } from 'svelte';
import type { Act, Told } from '../../kit/events.ts';
import { translator } from '../../kit/l10n.ts';
import type { IconName } from '../../kit/icons.ts';
import type { View, Widget } from '../../kit/widget.ts';
import type { Headrace, Showing } from '../headrace.ts';
import rollout from '../integrations/rollout.css?inline';
import css from './designer.css?inline';
import publish from './publish.css?inline';
import Root from './Designer.svelte';
import { Session } from './session.svelte.ts';

/** What a tool of the host is told. */
export interface ToolContext {
  readonly flowId: string;
  /** Whether nobody may change the flow just now. */
  readonly disabled: boolean;
}

/** A tool of the host: drawn into an element once, and again when its context is another one. */
export interface HostTool {
  tooltip?: string;
  widget: { mount(host: HTMLElement, context: ToolContext): { destroy?(): void } | undefined };
}

/** `flowId` of the configuration is the flow, and `runId` a run of it to look at. */
export interface DesignerOptions {
  showHeader?: boolean;
  showButtonHome?: boolean;
  /** Buttons that lead the host elsewhere: each tells its event, and does nothing by itself. */
  showButtonInsights?: boolean;
  showButtonConnectors?: boolean;
  showButtonClose?: boolean;
  /** Entries of a menu in the header; those of events that the designer knows do what they say. */
  menu?: readonly { event: string; label?: string; icon?: IconName }[];
  /** Which tools are shown: `undo`, `redo`, `zoom-to-fit`, `zoom-in`, `zoom-out`, `logs`, our own, and the host's. All of ours, where it is left out. */
  toolbar?: readonly (readonly (string | HostTool)[])[];
  minimap?: boolean;
  /** Show the flow and let nobody change it. */
  readOnly?: boolean;
  /** With whom a flow can be shared, and what for. */
  shareTypes?: { label: string; value: string; placeholder?: string }[];
  sharePermissions?: { label: string; value: string }[];
}

/** What it tells, with what data, and what comes with `-after`. */
export interface DesignerEvents {
  'flow:start': Act<{ flowId: string }>;
  'flow:stop': Act<{ flowId: string }>;
  'flow:rename': Act<{ flowId: string }>;
  'flow:share': Act<{ flowId: string }>;
  'flow:clone': Act<{ flowId: string }>;
  /** The copy is there */
  'flow:cloned': Told<{ flowId: string; cloneId: string }>;
  'flow:remove': Act<{ flowId: string }>;
  /** Opens the log of the flow below the canvas */
  'flow:insights-logs': Act<{ flowId: string }>;
  'flow:export-svg': Act<{ flowId: string }>;
  'flow:export-png': Act<{ flowId: string }>;
  'flow:print': Act<{ flowId: string }>;
  /** Opens what a wizard asks for, and publishes */
  'wizard:open': Act<{ flowId: string }>;
  'integration:publish': Act<{ flowId: string }>;
  /** The host's to do: nothing is built in */
  'navigate:connectors': Act<{ flowId: string }>;
  'navigate:flows': Told<{ flowId: string }>;
  change: Told<{ flowId: string }>;
  /** A run is looked at, or none, with an empty `runId` */
  'run:select': Told<{ flowId: string; runId: string }>;
  'component:add': Told<{ flowId: string; componentId: string; type: string }>;
  'component:open': Told<{ flowId: string; componentId: string }>;
  'component:close': Told<{ flowId: string; componentId: string }>;
  'component:rename': Told<{ flowId: string; componentId: string; label: string }>;
}

const view: View = {
  css: css + publish + rollout,
  async mount(target, widget): Promise<Showing> {
    const flowId = widget.get('flowId');
    if (typeof flowId !== 'string' || !flowId) throw new Error('The designer needs the id of a flow, as flowId.');
    const session = await begun(widget, flowId);
    session.isLocked = (widget.options as DesignerOptions).readOnly === true;
    const mounted = mount(Root, {
      target,
      props: {
        session,
        baseUrl: String(widget.home.get('baseUrl')),
        options: widget.options as DesignerOptions,
        onhome: () => widget.emit('navigate:flows', { flowId }),
        onmode: () => widget.set('theme', { ...(widget.get('theme') as object | undefined), mode: widget.element.dataset['mode'] === 'dark' ? 'light' : 'dark' }),
        onchange: () => widget.emit('change', { flowId }),
        onevent: (type: string, act: () => Promise<void>) => void widget.intercept(type, { flowId }, act).catch(() => undefined), // the session says it
        ontell: (type: string, data: Record<string, unknown>) => widget.emit(type, { flowId, ...data }),
        onrun: (id: string) => widget.emit('run:select', { flowId, runId: id }),
      },
    });
    return {
      async close() {
        await session.close();
        await unmount(mounted);
      },
      showRun: (runId) => session.showRun(runId),
    };
  },
};
export default view;

async function begun(widget: Widget, flowId: string): Promise<Session> {
  const { fields } = widget.home as Headrace;
  const session = new Session(widget.api, flowId, fields, widget.home.streams, translator(widget.l10n, () => widget.own));
  try {
    await session.load();
    const runId = widget.get('runId');
    if (typeof runId === 'string' && runId) await session.showRun(runId);
  } catch (error) {
    await session.close();
    throw error;
  }
  return session;
}
