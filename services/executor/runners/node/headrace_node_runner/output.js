/** What components print: lines of the step that printed them, bounded, and the rest for the executor's own log. */

import { AsyncLocalStorage } from 'node:async_hooks';

/** The call under way: its log, its timers and its connections. @type {AsyncLocalStorage<import('./calls.js').Call>} */
export const current = new AsyncLocalStorage();

const LONGEST_LINE = 2000;
const WINDOW_MS = 10_000;

/** @param {number} limit of bytes in ten seconds */
export function bound(limit) {
    for (const stream of [process.stdout, process.stderr]) {
        const behind = stream.write.bind(stream);
        const printed = new Printed(behind, limit);
        stream.write = /** @type {any} */ (
            (/** @type {any} */ text, /** @type {any} */ encoding, /** @type {any} */ done) => {
                printed.write(Buffer.isBuffer(text) ? text.toString('utf8') : String(text));
                const callback = typeof encoding === 'function' ? encoding : done;
                if (typeof callback === 'function') {
                    process.nextTick(callback);
                }
                return true;
            }
        );
    }
}

class Printed {
    /** @param {(text: string) => void} behind @param {number} limit */
    constructor(behind, limit) {
        this.behind = behind;
        this.limit = limit;
        this.left = limit;
        this.since = Date.now();
        this.dropped = 0;
        this.line = '';
    }

    /** @param {string} text */
    write(text) {
        this.renew();
        const taken = text.slice(0, Math.max(0, this.left));
        this.left -= taken.length;
        this.dropped += text.length - taken.length;
        const lines = (this.line + taken).split('\n');
        this.line = lines.pop() ?? '';
        lines.forEach((each) => this.say(each));
        if (this.line.length > LONGEST_LINE) {
            this.say(this.line);
            this.line = '';
        }
    }

    renew() {
        const now = Date.now();
        if (now - this.since < WINDOW_MS) {
            return;
        }
        const dropped = this.dropped;
        this.dropped = 0;
        this.since = now;
        this.left = this.limit;
        if (dropped) {
            this.say(`(${dropped} characters of output left out)`);
        }
    }

    /** @param {string} line */
    say(line) {
        const shown = line.slice(0, LONGEST_LINE).trimEnd();
        if (!shown) {
            return;
        }
        const call = current.getStore();
        if (call) {
            call.log('debug', shown);
        } else {
            this.behind(`${shown}\n`);
        }
    }
}
