/** Connecting an account in a window of its service, and hearing what came of it. */
import type { Api } from './api.ts';

const BETWEEN_MS = 1000;
/** A ticket is good for as long. */
const LONGEST_MS = 15 * 60_000;

/**
 * Lead the window to the service and wait until somebody has finished there; the account that came of it.
 * The window is opened by whoever was clicked: browsers allow that to no one else. Raises when it is closed before.
 */
export async function connected(api: Api, opened: Window, subject: string, query: Record<string, string>, signal: AbortSignal): Promise<string> {
  try {
    const ticket = await api.openTicket();
    opened.location.href = await api.getAuthUrl(subject, ticket, query);
    const end = Date.now() + LONGEST_MS;
    while (!signal.aborted && Date.now() < end) {
      const wasClosed = opened.closed;
      const status = await api.getTicket(ticket);
      if (status.finished) {
        if (status.error || !status.accountId) throw new Error(status.error ?? 'The service gave no account. Try again.');
        return status.accountId;
      }
      if (wasClosed) throw new Error('The window was closed before the account was connected. Try again.');
      await told(ticket, signal);
    }
    throw new Error('Nobody finished in the window in time. Try again.');
  } finally {
    if (!opened.closed) opened.close();
  }
}

/** Until the window says that it has finished, or a while has passed. */
function told(ticket: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      removeEventListener('message', heard);
      resolve();
    };
    const heard = (event: MessageEvent): void => {
      if (typeof event.data === 'string' && event.data.endsWith(`.${ticket}`)) end();
    };
    const timer = setTimeout(end, BETWEEN_MS);
    addEventListener('message', heard);
    signal.addEventListener('abort', end, { once: true });
  });
}
