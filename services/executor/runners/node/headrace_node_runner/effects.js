/** What a call does that goes with its answer: messages, log lines, the HTTP answer. */

import { CancelError } from './failures.js';
import { asJson } from './host.js';

const AHEAD_OUTPUTS = 200;
const AHEAD_BYTES = 1024 * 1024;
const MOST_LOGS = 100;

export class Effects {
    /** @param {import('./host.js').Ask} ask */
    constructor(ask) {
        this.ask = ask;
        /** @type {{port: string, content: Buffer, scope?: Buffer, headers?: Buffer}[]} */
        this.outputs = [];
        /** @type {{level: string, message: Buffer}[]} */
        this.logs = [];
        /** @type {{body: Buffer, status: number, headers: Record<string, string>} | undefined} */
        this.response = undefined;
        this.stopsFlow = false;
        this.bytes = 0;
        /** Messages that go ahead, one group after the other. @type {Promise<void>} */
        this.ahead = Promise.resolve();
        /** State that was assigned. @type {Promise<any>[]} */
        this.pending = [];
    }

    /** @param {any} value @param {string} port @param {{scope?: any, headers?: any}} [options] */
    async send(value, port, { scope, headers } = {}) {
        const content = asJson(value, 'the message');
        const [around, head] = [objectOr(scope, 'the scope'), objectOr(headers, 'the headers')];
        this.outputs.push({ port, content, scope: around, headers: head });
        this.bytes += content.length + (around?.length ?? 0) + (head?.length ?? 0);
        if (this.outputs.length >= AHEAD_OUTPUTS || this.bytes >= AHEAD_BYTES) {
            const group = this.outputs;
            this.outputs = [];
            this.bytes = 0;
            this.ahead = this.ahead.then(() => this.ask.outputs(group));
            this.ahead.catch(() => {}); // it is looked at when the call ends
            await this.ahead;
        }
    }

    /** @param {string} level @param {any} message */
    log(level, message) {
        if (this.logs.length < MOST_LOGS) {
            const isObject = message !== null && typeof message === 'object' && !Array.isArray(message);
            this.logs.push({ level, message: asJson(isObject ? message : text(message), 'what is logged') });
        }
    }

    /** @param {any} body @param {any} status @param {any} headers */
    respond(body, status, headers) {
        const number = Number(status);
        if (!Number.isInteger(number) || number < 100 || number > 599) {
            throw new CancelError(`${status} is no status of an answer.`);
        }
        const shown = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]);
        const content = Buffer.isBuffer(body) ? body.toString('utf8') : body;
        this.response = { body: asJson(content, 'the answer'), status: number, headers: Object.fromEntries(shown) };
    }

    /** Wait for what is still on its way. */
    async settle() {
        await this.ahead;
        await Promise.all(this.pending);
    }

    toWire() {
        return { outputs: this.outputs, logs: this.logs, response: this.response, stops_flow: this.stopsFlow };
    }
}

/** @param {any} value @param {string} what @returns {Buffer | undefined} */
function objectOr(value, what) {
    if (value === undefined || value === null) {
        return undefined;
    }
    if (typeof value !== 'object' || Array.isArray(value)) {
        throw new CancelError(`${what} of a message is an object.`);
    }
    return asJson(value, what);
}

/** @param {any} value */
function text(value) {
    return typeof value === 'string' ? value : JSON.stringify(value) ?? String(value);
}
