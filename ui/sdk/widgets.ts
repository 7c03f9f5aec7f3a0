/** The widgets of the SDK by name. Each inside is code of its own, which comes when the widget is first opened. */
import type { Definition } from '../kit/widget.ts';

export const WIDGETS = {
  Designer: { name: 'designer', tag: 'hr-designer', load: () => import('./designer/widget.ts').then((found) => found.default) },
  Wizard: { name: 'wizard', tag: 'hr-wizard', load: () => import('./wizard/view.ts').then((found) => found.default) },
  Integrations: { name: 'integrations', tag: 'hr-integrations', load: () => import('./integrations/view.ts').then((found) => found.default) },
  AutomationHub: { name: 'automationHub', tag: 'hr-automation-hub', load: () => import('./automation-hub/view.ts').then((found) => found.default) },
  InsightsLogs: { name: 'insightsLogs', tag: 'hr-insights-logs', load: () => import('./insights-logs/view.ts').then((found) => found.default) },
  InsightsChartEditor: { name: 'insightsChartEditor', tag: 'hr-insights-chart-editor', load: () => import('./insights-chart-editor/view.ts').then((found) => found.default) },
  InsightsDashboard: { name: 'insightsDashboard', tag: 'hr-insights-dashboard', load: () => import('./insights-dashboard/view.ts').then((found) => found.default) },
  FlowManager: { name: 'flowManager', tag: 'hr-flow-manager', load: () => import('./flow-manager/index.ts').then((found) => found.default) },
} as const satisfies Record<string, Definition>;

export type WidgetName = keyof typeof WIDGETS;
