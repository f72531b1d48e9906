import { Template } from '@huggingface/jinja';
import { AppError } from '@kilotoken/platform';
import type { ChatTurn } from './engine.js';

/**
 * A conversation as the text that the model was trained to continue, by the template that its file carries.
 *
 * A user's message is text: `<|im_end|>` typed into it must not end it, or anybody could put words into the system
 * prompt. So control tokens inside of messages are replaced by markers before the template is rendered, and come back as
 * segments that are tokenized as plain text.
 */
export interface PromptSegment {
  readonly text: string;
  /** Whether control tokens in it are control tokens. */
  readonly control: boolean;
}

export interface ChatTemplateSettings {
  /** Jinja, from the model's file. */
  readonly source: string;
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  /** The text of every control token of the vocabulary. */
  readonly controlTexts: readonly string[];
}

export type RenderChat = (messages: readonly ChatTurn[]) => PromptSegment[];

const [privateUseFirst, privateUseLast] = [0xe000, 0xf8ff];

/** Throws an Error when the template is not Jinja. */
export const createChatTemplate = ({ source, bosToken, eosToken, controlTexts }: ChatTemplateSettings): RenderChat => {
  const template = new Template(source);
  const render = (messages: readonly ChatTurn[]): string => {
    try {
      return template.render({ messages, add_generation_prompt: true, bos_token: bosToken ?? '', eos_token: eosToken ?? '' });
    } catch (error) {
      // Templates refuse conversations that their model was never shown, such as two user messages in a row.
      const reason = error instanceof Error ? error.message.slice(0, reasonLengthMax) : '';
      throw new AppError({ code: 'invalid_value', kind: 'invalid', publicMessage: `The model's chat template refuses these messages: ${reason}`, cause: error });
    }
  };
  // Longer ones first: one control token may be the beginning of another.
  const byLength = [...controlTexts].filter((text) => text !== '').sort((one, other) => other.length - one.length);
  const control = byLength.length === 0 ? null : new RegExp(byLength.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');

  return (messages) => {
    if (!control || !messages.some(({ content }) => content.search(control) !== -1)) return [{ text: render(messages), control: true }];
    const mark = unusedCharacter([source, ...messages.map(({ content }) => content)].join(''));
    const literals: string[] = [];
    const marked = messages.map(({ role, content }) => ({
      role,
      content: content.replace(control, (literal) => `${mark}${literals.push(literal) - 1}${mark}`),
    }));
    // Split by what stands between two marks, so every second piece is the number of a literal.
    return render(marked)
      .split(mark)
      .map((piece, index) => (index % 2 === 0 ? { text: piece, control: true } : { text: literals[Number(piece)]!, control: false }))
      .filter(({ text }) => text !== '');
  };
};

const reasonLengthMax = 200;

const unusedCharacter = (text: string): string => {
  for (let code = privateUseFirst; code <= privateUseLast; code++) {
    const character = String.fromCharCode(code);
    if (!text.includes(character)) return character;
  }
  throw new AppError({ code: 'invalid_value', kind: 'invalid', publicMessage: 'The messages use every private character of Unicode.' });
};
