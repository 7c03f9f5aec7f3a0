/** The words of the list of connectors: `l10n.ui.connectors`. */
export const STRINGS = {
  title: 'Connectors',
  text: 'What flows are made of.',
  search: 'Search connectors',
  publish: 'Publish a connector',
  category: { label: 'Category', all: 'All categories' },
  count: '{{count}} component|{{count}} components',
  empty: { title: 'No connectors', text: 'None is installed yet.' },
  none: { title: 'No connector fits', text: 'Try another word.', all: 'Show all connectors' },
  one: { version: 'Version {{version}}', components: 'Components', trigger: 'Starts flows', account: 'Needs an account', inPorts: 'In', outPorts: 'Out', remove: 'Remove', loading: 'Looking for components…' },
  publishing: { busy: 'Publishing “{{name}}”…', done: 'Published {{count}} component|Published {{count}} components', wrong: '“{{name}}” was not published', file: '{{file}}: {{message}}' },
  remove: { title: 'Remove “{{name}}”?', text: 'Its components are not offered any more.', yes: 'Remove', done: '“{{name}}” is removed', used: { title: 'It is in use', yes: 'Remove it anyway' } },
} as const;
