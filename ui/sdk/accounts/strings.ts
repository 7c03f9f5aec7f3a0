/** The words of the list of accounts: `l10n.ui.accounts`. */
export const STRINGS = {
  title: 'Accounts',
  text: 'What your flows act with at other services.',
  connect: 'Connect an account',
  search: 'Search accounts',
  columns: { name: 'Account', service: 'Service', state: 'State', created: 'Connected' },
  state: { valid: 'Connected', invalid: 'Connect again' },
  menu: { test: 'Test', again: 'Connect again', rename: 'Rename', flows: 'Used in flows', share: 'Share', remove: 'Remove' },
  empty: { title: 'No accounts yet', text: 'An account is connected once, here or in a flow, and then used in as many flows as you like.' },
  none: { title: 'No account fits', text: 'Try another word.', all: 'Show all accounts' },
  test: { valid: '“{{name}}” works', invalid: '“{{name}}” is not accepted any more. Connect it again.' },
  rename: { title: 'Rename the account', name: 'Name', yes: 'Rename', done: 'The account is renamed' },
  remove: { title: 'Remove “{{name}}”?', text: 'Flows that act with it stop doing so.', used: 'It is used in {{count}} flow, which then stops: {{names}}.|It is used in {{count}} flows, which then stop: {{names}}.', yes: 'Remove', done: '“{{name}}” is removed' },
  flows: { title: 'Where “{{name}}” is used', none: 'No flow uses it.', steps: '{{count}} step|{{count}} steps' },
  share: { title: 'Share “{{name}}”', nobody: 'Nobody else may use this account.', use: 'Use' },
  choose: { title: 'Connect an account', search: 'Search services', none: 'No service that is called that needs an account.', loading: 'Looking for services…', waiting: 'Finish in the window of {{name}}.', form: 'Account of {{name}}', yes: 'Connect', busy: 'Connecting…', done: 'The account is connected', blocked: 'The browser did not open a window for the account. Allow windows of this page, then try again.' },
} as const;
