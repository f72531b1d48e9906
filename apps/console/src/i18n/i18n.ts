import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import type en from '../messages/en.json';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation';
    resources: { translation: typeof en };
  }
}

export const languages = { en: 'English', zh: '简体中文' } as const;
export type Language = keyof typeof languages;

const storageKey = 'kilotoken-language';
const isLanguage = (text: string | null): text is Language => text !== null && text in languages;

type Messages = () => Promise<{ readonly default: object }>;

/** The console's own messages, and the server's refusals by their codes, which are in English by themselves. */
const load: Readonly<Record<Language, { readonly translation: Messages; readonly refusals?: Messages }>> = {
  en: { translation: () => import('../messages/en.json') },
  zh: { translation: () => import('../messages/zh.json'), refusals: () => import('../messages/refusals.zh.json') },
};

/** The language that the reader chose here, else the first that the browser asks for and we have. */
const preferred = (): Language => {
  const chosen = localStorage.getItem(storageKey);
  if (isLanguage(chosen)) return chosen;
  return navigator.languages.map((tag) => tag.slice(0, 2)).find((tag): tag is Language => isLanguage(tag)) ?? 'en';
};

const use = async (language: Language): Promise<void> => {
  const missing = Object.entries(load[language]).filter(([space]) => !i18next.hasResourceBundle(language, space));
  await Promise.all(missing.map(async ([space, messages]) => i18next.addResourceBundle(language, space, (await messages()).default)));
  await i18next.changeLanguage(language);
  document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
};

export const startLanguages = async (): Promise<void> => {
  await i18next.use(initReactI18next).init({ lng: undefined, fallbackLng: false, resources: {}, interpolation: { escapeValue: false } });
  await use(preferred());
};

export const chooseLanguage = async (language: Language): Promise<void> => {
  localStorage.setItem(storageKey, language);
  await use(language);
};
