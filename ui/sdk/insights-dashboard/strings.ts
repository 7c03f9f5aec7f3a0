/** The words of this widget in English: `l10n.ui.insightsDashboard`. */
export const STRINGS = {
  title: 'Insights',
  create: 'New chart',
  refresh: 'Refresh',
  range: 'Time',
  ranges: { '': 'As each chart says', 'now-1h': 'Last hour', 'now-24h': 'Last 24 hours', 'now-7d': 'Last 7 days', 'now-30d': 'Last 30 days', 'now-90d': 'Last 90 days' },
  every: { label: 'Refresh by itself', '0': 'Not by itself', '30': 'Every 30 seconds', '60': 'Every minute', '300': 'Every 5 minutes' },
  menu: { open: 'Open', clone: 'Duplicate', remove: 'Remove', table: 'Show as a table', drawing: 'Show as a drawing', wide: 'Make wide', narrow: 'Make narrow', earlier: 'Move earlier', later: 'Move later', label: 'What to do with {{name}}' },
  copyOf: '{{name}} (copy)',
  cloned: 'Chart duplicated',
  removed: 'Chart removed',
  remove: { title: 'Remove this chart?', text: '‘{{name}}’ goes. The log that it counts stays.' },
  empty: { title: 'No charts yet', text: 'See how many messages come in, which flows fail, and what is used most.', starters: 'Begin with one of these' },
  starters: { messages: 'Messages by day', errors: 'Errors by flow', components: 'Most used components' },
  grip: 'Drag {{name}}, or move it by the arrow keys',
  moved: '{{name}} is now number {{place}}',
} as const;
