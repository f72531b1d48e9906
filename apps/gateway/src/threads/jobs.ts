/**
 * The jobs of the gateway's worker threads, by name. A thread loads the built form of this file, so it and what it imports
 * stay free of effects but for the thread's own priority: no settings, no connections, no timers. A job keeps nothing of a
 * request between two calls: it gets the bytes of a body and reads what it needs of them.
 */
import { yieldToEventLoop } from './thread-priority.js';

yieldToEventLoop();

export { buildBody, readBody } from '../intake/reading.jobs.js';
export { countPrompt, countTexts, loadVocabulary } from '../counting/counting.jobs.js';
