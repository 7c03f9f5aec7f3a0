/** What a component asks of the executor while it is called: each question numbered in the order of asking. */

import { CancelError, HostFailure, PermanentError, wordsOf } from './failures.js';

const TIMEOUT_MS = 60_000;
const FILE_TIMEOUT_MS = 180_000;
const LISTEN_TIMEOUT_MS = 120_000; // the plugin may have to be started first
const ROOMS = { node: 1, flow: 2, service: 3, run: 4 };

/** @typedef {keyof typeof ROOMS} Room */

export class Ask {
    /** @param {import('./rpc.js').Caller} caller @param {string} callId @param {AbortSignal} signal */
    constructor(caller, callId, signal) {
        this.caller = caller;
        this.callId = callId;
        this.signal = signal;
        this.number = 0;
    }

    /** @param {Room} room @param {string} verb @param {string} key @param {any} value */
    async state(room, verb, key = '', value = null) {
        return this.ask({ state: { room: ROOMS[room], verb, key, value: asJson(value, 'the state') } });
    }

    /** @param {string} verb @param {Record<string, any>} given by their names in the Python SDK */
    async store(verb, given = {}) {
        return this.ask({ store: { verb, arguments: asJson(given, 'the record') } });
    }

    /**
     * @param {string} verb @param {{fileId?: string, filename?: string, contentType?: string, content?: Buffer,
     *   offset?: number, uploadId?: string}} given
     */
    async file(verb, { fileId, filename, contentType, content, offset, uploadId } = {}) {
        const question = { verb, file_id: fileId, filename, content_type: contentType, content, offset, upload_id: uploadId };
        const answer = await this.raw({ file: question }, FILE_TIMEOUT_MS);
        return verb === 'read' ? answer.content : parsed(answer);
    }

    /** What led to the messages of the step. @returns {Promise<Record<string, any>>} */
    async scope() {
        return this.ask({ scope: {} });
    }

    /** A flow that the plugin's service has a part in; null where there is none. @param {string} flowId */
    async flow(flowId) {
        return this.ask({ flow: { flow_id: flowId } });
    }

    /** @param {string} nodeId of the flow; '' for everything that comes before the step's own node */
    async offers(nodeId = '') {
        return this.ask({ offers: { node_id: nodeId } });
    }

    /** @param {{port: string, content: Buffer}[]} outputs */
    async outputs(outputs) {
        await this.raw({ outputs: { outputs } }, FILE_TIMEOUT_MS);
    }

    /** @param {any} content @param {number} dueMs of the clock */
    async setTimeout(content, dueMs) {
        return this.ask({ timeout: { content: asJson(content, 'what a timeout carries'), due: timestamp(dueMs) } });
    }

    /** @param {string} timeoutId */
    async clearTimeout(timeoutId) {
        await this.ask({ timeout: { timeout_id: timeoutId } });
    }

    /** @param {{verb: string, name: string, handle?: string, ttlMs?: number, delayMs?: number, retries?: number}} given */
    async lock({ verb, name, handle, ttlMs = 0, delayMs = 0, retries = 0 }) {
        const ttl = timestamp(ttlMs);
        const question = { verb, name, handle, ttl, retry_delay: delayMs / 1000, retries };
        return this.ask({ lock: question }, TIMEOUT_MS + delayMs * retries);
    }

    /** @param {string} verb @param {string} event @param {any} [params] */
    async listen(verb, event, params) {
        return this.ask({ listen: { verb, event, params: asJson(params, 'what a listener gives along') } }, LISTEN_TIMEOUT_MS);
    }

    /**
     * @param {{flowId: string, nodeId: string, content: any, correlationId: string, waits: boolean, event?: string}} given
     */
    async trigger({ flowId, nodeId, content, correlationId, waits, event }) {
        const packed = asJson(content, 'what a component is fired with');
        const trigger = { flow_id: flowId, node_id: nodeId, content: packed, correlation_id: correlationId, waits, event };
        return this.ask({ trigger });
    }

    /** @param {any} content */
    async tell(content) {
        await this.ask({ signal: { content: asJson(content, 'the signal') } });
    }

    /** @param {{method: string, endPoint: string, query: any, body: any}} given */
    async api({ method, endPoint, query, body }) {
        const packed = body === undefined ? undefined : asJson(body, 'the body');
        return this.ask({ api: { method, end_point: endPoint, query: asJson(query, 'the query'), body: packed } }, LISTEN_TIMEOUT_MS);
    }

    /** Whether the executor of this release can be asked so. @param {string} question */
    knows(question) {
        return `headrace.runner.v1.${question}` in this.caller.codec.contract;
    }

    /** @param {Record<string, any>} question */
    async ask(question, timeoutMs = TIMEOUT_MS) {
        return parsed(await this.raw(question, timeoutMs));
    }

    /** @param {Record<string, any>} question @param {number} timeoutMs */
    async raw(question, timeoutMs) {
        this.number += 1;
        const request = { call_id: this.callId, number: this.number, ...question };
        const answer = await this.caller.call('Ask', request, { timeoutMs, signal: this.signal });
        if (answer.failure) {
            throw raised(answer.failure);
        }
        return answer;
    }
}

/** JSON for the wire; undefined is null, as in a list. @param {any} value @param {string} what */
export function asJson(value, what) {
    try {
        return Buffer.from(JSON.stringify(value === undefined ? null : value) ?? 'null');
    } catch (error) {
        throw new PermanentError(`Only JSON can be kept or sent, and ${what} is none: ${wordsOf(error)}`);
    }
}

/** @param {number} milliseconds */
function timestamp(milliseconds) {
    const whole = Math.floor(milliseconds / 1000);
    return { seconds: whole, nanos: Math.round((milliseconds - whole * 1000) * 1e6) };
}

/** @param {Record<string, any>} answer */
function parsed(answer) {
    return answer.answer.length ? JSON.parse(answer.answer.toString('utf8')) : null;
}

/** @param {any} failure */
function raised(failure) {
    const data = failure.data.length ? JSON.parse(failure.data.toString('utf8')) : undefined;
    if (failure.kind === 'cancel') {
        return new CancelError(failure.message, data);
    }
    if (failure.kind === 'lock_unavailable') {
        failure.message = `locked: ${failure.message}`; // components look for the word
    }
    return new HostFailure(failure);
}
