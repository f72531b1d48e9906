import type { SessionService } from '@kilotoken/funding';
import type { StreamWriter } from './stream-writer.js';

/**
 * Delivers a running stream to its client. Nothing leaves while this process cannot know that its session is alive: a reaper
 * may have billed the stream, and text that leaves after that is unpaid (I4). The text is kept until the session is confirmed,
 * and the lane is not read meanwhile.
 */
export interface StreamDelivery {
  /** Sends text now, or keeps it. */
  write(text: string): void;
  /** Whether any text was sent or kept. */
  begun(): boolean;
  /** Takes the text that was kept: settled, it may leave with the end of the stream. */
  takeKept(): string;
  stop(): void;
}

type Fence = Pick<SessionService, 'isAlive' | 'onceAlive'>;

/** `onFenced`: told when text is kept, and when it was sent after all. */
export const createStreamDelivery = (writer: StreamWriter, fence: Fence, onFenced: (fenced: boolean) => void): StreamDelivery => {
  let begun = false;
  let kept = '';
  let stopListening: (() => void) | null = null;
  const release = (): void => {
    stopListening = null;
    const text = kept;
    kept = '';
    writer.write(text);
    onFenced(false);
  };
  return {
    write: (text) => {
      begun = true;
      if (stopListening === null && fence.isAlive()) return writer.write(text);
      kept += text;
      if (stopListening !== null) return;
      stopListening = fence.onceAlive(release);
      onFenced(true);
    },
    begun: () => begun,
    takeKept: () => {
      const text = kept;
      kept = '';
      return text;
    },
    stop: () => stopListening?.(),
  };
};
