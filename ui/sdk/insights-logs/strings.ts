/** The words of this widget in English: `l10n.ui.insightsLogs`. */
export const STRINGS = {
  title: 'Logs',
  search: 'Search the log',
  searchHelp: 'Words, or fields such as severity:error AND componentId:…',
  refresh: 'Refresh',
  live: { start: 'Follow live', stop: 'Stop following', on: 'Live', every: 'Live, every few seconds' },
  filters: {
    label: 'Filters', range: 'Time', severity: 'Severity', flow: 'Flow', allFlows: 'All flows', flows: '{{count}} flow|{{count}} flows', findFlow: 'Find a flow', noFlow: 'No flow is called that.',
    from: 'From', to: 'To', apply: 'Apply', clear: 'Clear filters', run: 'Only this run', component: 'Only this step', remove: 'Remove the filter {{name}}',
  },
  ranges: { '15m': 'Last 15 minutes', '1h': 'Last hour', '24h': 'Last 24 hours', '7d': 'Last 7 days', '30d': 'Last 30 days', custom: 'Between two times' },
  severities: { error: 'Errors', warn: 'Warnings', info: 'Information', debug: 'Details' },
  histogram: 'Records over time',
  columns: { time: 'Time', severity: 'Severity', flow: 'Flow', step: 'Step', message: 'Message' },
  ports: { in: 'in {{port}}', out: 'out {{port}}' },
  shown: '{{count}} record|{{count}} records',
  older: 'Load older records',
  empty: { title: 'Nothing was logged in this time', text: 'Start a flow, or look at a longer time.' },
  none: { title: 'No record fits', text: 'Try fewer filters or other words.' },
  details: { title: 'Record', message: 'Message', input: 'What came in', error: 'Error', fields: 'All fields', copy: 'Copy as JSON', copied: 'Copied', openFlow: 'Open the flow', newer: 'Newer record', older: 'Older record' },
} as const;
