/** The paths that generate, by the names of OpenAI's SDKs. */
export type Operation = 'chat.completions' | 'completions';
