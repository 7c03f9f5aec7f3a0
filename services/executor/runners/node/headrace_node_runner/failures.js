/**
 * Errors of components, as the engine sorts them: what it tries again, what it does not, and what it shows.
 *
 * @typedef {{kind: string, name: string, message: string, code: string, data?: Buffer,
 *   retry_after?: {seconds: number, nanos: number}, status?: number, which?: string}} Failure
 */

const LONGEST_MESSAGE = 4000;
const MOST_DATA = 16 * 1024;

const NETWORK = new Set([
    'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ERR_NETWORK',
    'ERR_SOCKET_CLOSED', 'UND_ERR_SOCKET', 'ERR_STREAM_PREMATURE_CLOSE'
]);
const LATE = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'ECONNABORTED', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT']);

/** What a component throws to stop: the message cannot be processed, and trying again would not help. */
export class CancelError extends Error {
    /** @param {any} message @param {any} [data] */
    constructor(message, data) {
        super(typeof message === 'string' ? message : wordsOf(message));
        this.name = 'CancelError';
        this.data = data;
    }
}

/** What trying again does not mend, and what is no decision of the component either. */
export class PermanentError extends Error {
    /** @param {string} message */
    constructor(message) {
        super(message);
        this.name = 'PermanentError';
    }
}

/** Something of the platform that is asked for and not there. Trying again would not help. */
export class Missing extends CancelError {
    /** @param {string} what @param {string} why */
    constructor(what, why) {
        super(`${what} is not available: ${why}`);
        this.name = 'Missing';
    }
}

/** A failure that the executor answered a question with; it goes back as it came. */
export class HostFailure extends Error {
    /** @param {Failure} failure */
    constructor(failure) {
        super(failure.message);
        this.name = failure.name || 'Error';
        this.code = failure.code;
        this.failure = failure;
    }
}

/** @param {any} error @returns {Failure} never throws, whatever the error is made of */
export function failureOf(error) {
    try {
        return sorted(error);
    } catch {
        return { kind: 'unknown', name: 'Error', message: 'The error itself cannot be read.', code: 'unknown' };
    }
}

/** @param {any} error @returns {Failure} */
function sorted(error) {
    if (error instanceof HostFailure) {
        return error.failure;
    }
    const name = String(error?.name ?? (error === null ? 'null' : typeof error)).slice(0, 100);
    const message = wordsOf(error).slice(0, LONGEST_MESSAGE);
    const code = String(error?.code ?? 'unknown').slice(0, 100);
    const data = dataOf(error);
    const common = { name, message, code, data };
    if (error instanceof CancelError || /cancelerror/i.test(name)) {
        return { ...common, kind: 'cancel', code: 'cancelled_by_component' };
    }
    if (error instanceof PermanentError) {
        return { ...common, kind: 'permanent', code: 'component_error' };
    }
    if (name === 'InvalidTokenError') {
        return { ...common, kind: 'connection_expired', code: 'connection_expired' };
    }
    if (error?.name === 'RemoteError') {
        return { ...common, kind: 'platform' };
    }
    const status = statusOf(error);
    if (status === 429) {
        return { ...common, kind: 'rate_limited', code: 'rate_limited', retry_after: pauseOf(error) };
    }
    if (status) {
        return { ...common, kind: 'http_status', code: 'http_status', status };
    }
    if (NETWORK.has(code)) {
        return { ...common, kind: 'network' };
    }
    if (LATE.has(code)) {
        return { ...common, kind: 'timeout' };
    }
    return { ...common, kind: 'unknown', code: 'unknown' };
}

/** The status that a far side answered with, as the usual libraries keep it. @param {any} error */
function statusOf(error) {
    for (const found of [error?.response?.status, error?.response?.statusCode, error?.statusCode, error?.status]) {
        const status = Number(found);
        if (Number.isInteger(status) && status >= 400 && status <= 599) {
            return status;
        }
    }
    return 0;
}

/** @param {any} error */
function pauseOf(error) {
    const headers = error?.response?.headers ?? error?.headers ?? {};
    const said = typeof headers.get === 'function' ? headers.get('retry-after') : headers['retry-after'];
    const seconds = /^\d+$/.test(String(said)) ? Number(said) : (Date.parse(String(said)) - Date.now()) / 1000;
    return seconds > 0 ? { seconds: Math.ceil(seconds), nanos: 0 } : undefined;
}

/** @param {any} error */
function dataOf(error) {
    const given = error?.data ?? error?.response?.data ?? error?.response?.body;
    if (given === undefined || given === null || Buffer.isBuffer(given) || typeof given.pipe === 'function') {
        return undefined;
    }
    try {
        const written = JSON.stringify(given);
        if (written === undefined) {
            return undefined;
        }
        return Buffer.from(written.length > MOST_DATA ? JSON.stringify(written.slice(0, MOST_DATA)) : written);
    } catch {
        return undefined;
    }
}

/** @param {any} value */
export function wordsOf(value) {
    if (value instanceof Error) {
        return value.message || value.name;
    }
    if (typeof value === 'string') {
        return value;
    }
    try {
        return String(value?.message ?? JSON.stringify(value) ?? value);
    } catch {
        return 'An error that cannot be read.';
    }
}
