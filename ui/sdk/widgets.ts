/** The widgets of the SDK by name. Each inside is code of its own, which comes when the widget is first opened. */
import type { Definition } from '../kit/widget.ts';

export const WIDGETS = {
  Designer: { name: 'designer', tag: 'hr-designer', load: () => import('./designer/widget.ts').then((found) => found.default) },
  FlowManager: { name: 'flowManager', tag: 'hr-flow-manager', load: () => import('./flow-manager/index.ts').then((found) => found.default) },
  Runs: { name: 'runs', tag: 'hr-runs', load: () => import('./runs/index.ts').then((found) => found.default) },
  Accounts: { name: 'accounts', tag: 'hr-accounts', load: () => import('./accounts/index.ts').then((found) => found.default) },
  Storage: { name: 'storage', tag: 'hr-storage', load: () => import('./storage/index.ts').then((found) => found.default) },
  Files: { name: 'files', tag: 'hr-files', load: () => import('./files/index.ts').then((found) => found.default) },
  PeopleTasks: { name: 'peopleTasks', tag: 'hr-people-tasks', load: () => import('./people-tasks/index.ts').then((found) => found.default) },
  Connectors: { name: 'connectors', tag: 'hr-connectors', load: () => import('./connectors/index.ts').then((found) => found.default) },
  Wizard: { name: 'wizard', tag: 'hr-wizard', load: () => import('./wizard/index.ts').then((found) => found.default) },
  Integrations: { name: 'integrations', tag: 'hr-integrations', load: () => import('./integrations/index.ts').then((found) => found.default) },
  AutomationHub: { name: 'automationHub', tag: 'hr-automation-hub', load: () => import('./automation-hub/index.ts').then((found) => found.default) },
  InsightsLogs: { name: 'insightsLogs', tag: 'hr-insights-logs', load: () => import('./insights-logs/index.ts').then((found) => found.default) },
  InsightsChartEditor: { name: 'insightsChartEditor', tag: 'hr-insights-chart-editor', load: () => import('./insights-chart-editor/index.ts').then((found) => found.default) },
  InsightsDashboard: { name: 'insightsDashboard', tag: 'hr-insights-dashboard', load: () => import('./insights-dashboard/index.ts').then((found) => found.default) },
} as const satisfies Record<string, Definition>;

export type WidgetName = keyof typeof WIDGETS;
