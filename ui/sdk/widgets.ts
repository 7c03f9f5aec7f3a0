/** The widgets of the SDK by name. Each inside is code of its own, which comes when the widget is first opened. */
import type { Definition } from '../kit/widget.ts';

export const WIDGETS = {
  Designer: { name: 'designer', tag: 'hr-designer', load: () => import('./designer/widget.ts').then((found) => found.default) },
  FlowManager: { name: 'flowManager', tag: 'hr-flow-manager', load: () => import('./flow-manager/index.ts').then((found) => found.default) },
} as const satisfies Record<string, Definition>;

export type WidgetName = keyof typeof WIDGETS;
