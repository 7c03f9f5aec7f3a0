/** The words of this widget in English: `l10n.ui.wizard`. */
export const STRINGS = {
  title: 'Integration',
  name: 'Name',
  steps: { about: 'About', accounts: 'Accounts', fields: 'Settings', finish: 'Finish', label: 'Steps', at: 'Step {{at}} of {{all}}: {{name}}' },
  about: { by: 'Works with', install: 'Install', needsAccounts: 'You will connect: {{services}}', needsFields: '{{count}} setting to fill in|{{count}} settings to fill in', ready: 'There is nothing to fill in: it is ready to start.' },
  accounts: {
    title: 'Connect your accounts', text: 'It acts in your name with these services. You can take an account away at any time.', choose: 'Choose an account…', none: 'No account yet', looking: 'Looking for accounts…', connect: 'Connect', connecting: 'Connecting…', another: 'Connect another', again: 'Connect again', waiting: 'Waiting for the window…', connected: 'Connected',
    missing: 'Connect an account of {{service}} first.', blocked: 'The browser did not open a window for the account. Allow windows of this page, then try again.', form: 'Connect an account of {{service}}', which: 'Account of {{service}}', invalid: 'It is not accepted any more. Connect it again.',
  },
  fields: { title: 'Settings', text: 'Fill in what this integration needs to know.', none: 'There is nothing to fill in.', missing: '{{name}} is missing.' },
  finish: { title: 'All set', text: 'Start it now. You can pause, change or remove it whenever you like.', start: 'Start', later: 'Not now' },
  running: { title: 'It is running', text: 'From now on it works for you. Its log tells what it does.' },
  next: 'Continue', back: 'Back', cancel: 'Cancel', done: 'Done', save: 'Save changes', saved: 'Changes saved', saving: 'Saving…',
  state: { running: 'Running', stopped: 'Paused', starting: 'Starting', stopping: 'Pausing' },
  pause: 'Pause', resume: 'Start', removeIt: 'Remove', more: 'More',
  remove: { title: 'Remove this integration?', text: '‘{{name}}’ stops, and its runs and logs go with it. Your accounts stay.', done: 'Integration removed' },
  waits: 'There is a newer version of this integration. Connect {{services}} to get it; until then it goes on as before.',
  canFollow: 'All its accounts are connected: the newer version of it can run now.',
  isNow: 'Use the newer version',
  follows: 'It is the newest version now.',
  update: 'A newer version of this integration is on its way to you: its maker rolls it out.',
  gone: 'This is no integration. Open a template or one of your integrations.',
} as const;
