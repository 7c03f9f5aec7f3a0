/** What an administrator does with a user. */
import type { Office } from './office.svelte.ts';

export interface User {
  id: string;
  username: string;
  email: string;
  isActive: boolean;
  scope: string[];
  vendor: string | string[];
  plan: string;
  created: string | null;
}

export const called = (user: User): string => user.email || user.username || user.id;

/** Open the user's own page in this tab's place, as they see it, for an hour. Their page says who looks. */
export async function signInAs(office: Office, user: User): Promise<void> {
  const { w } = office;
  if (!(await w.confirm({ title: `Sign in as ${called(user)}?`, text: 'For an hour, in a tab of its own. You see what they see; what you change there stands in the audit trail under your name.', yes: 'Sign in' }))) return;
  const tab = window.open('about:blank', '_blank');
  const isDone = await w.act('user:sign-in-as', { userId: user.id }, async () => {
    const given = await office.send<{ token: string; expires: string }>('POST', `/users/${encodeURIComponent(user.id)}/sign-in-as`);
    if (!tab) throw new Error('The browser let no tab open. Allow it for this page, then try again.');
    tab.sessionStorage.setItem('headrace.token', given.token);
    tab.location.href = '/';
  });
  if (!isDone) tab?.close();
}

export async function resetPassword(office: Office, user: User): Promise<void> {
  const { w } = office;
  const password = Array.from(crypto.getRandomValues(new Uint8Array(12)), (each) => 'abcdefghijkmnpqrstuvwxyz23456789'[each % 32]).join('');
  if (!(await w.confirm({ title: `Set a new password for ${called(user)}?`, text: 'They are signed out everywhere. The new password is shown once, and copied for you to hand over.', yes: 'Set it', isDangerous: true }))) return;
  const isDone = await w.act('user:reset', { userId: user.id }, () => office.send('POST', '/user/reset-password', { email: user.email || user.username, password }));
  if (!isDone) return;
  await navigator.clipboard?.writeText(password).catch(() => undefined);
  await w.confirm({ title: 'The new password', text: `${password} — it was copied, and is not shown again.`, yes: 'Done', no: 'Close' });
}
