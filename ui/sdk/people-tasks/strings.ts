/** The words of people's tasks: `l10n.ui.peopleTasks`. */
export const STRINGS = {
  title: 'People tasks',
  text: 'What flows ask people to decide.',
  tabs: { label: 'Which tasks', pending: 'To decide', decided: 'Decided', asked: 'Asked by me' },
  search: 'Search tasks',
  columns: { title: 'Task', status: 'State', who: 'Asked by', to: 'To decide by', decisionBy: 'Due', created: 'Asked' },
  status: { pending: 'Pending', approved: 'Approved', rejected: 'Rejected', due: 'Overdue' },
  menu: { open: 'Show', approve: 'Approve', reject: 'Reject' },
  empty: { pending: 'Nothing to decide', decided: 'Nothing was decided yet', asked: 'You asked nobody yet', text: 'A flow with a task step asks here, and waits until somebody decides.' },
  none: { title: 'No task fits', text: 'Try another word.', all: 'Show all tasks' },
  reject: { title: 'Reject “{{title}}”?', text: 'The flow goes on with what it does then.', yes: 'Reject' },
  done: { approve: '“{{title}}” is approved', reject: '“{{title}}” is rejected' },
  one: { requester: 'Asked by', approver: 'Approver', due: 'Due', created: 'Asked', decided: 'Decided', nothing: 'There is no description.' },
} as const;
