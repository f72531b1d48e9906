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

const load: Readonly<Record<Language, () => Promise<{ default: object }>>> = {
  en: () => import('../messages/en.json'),
  zh: () => import('../messages/zh.json'),
};

/** The language that the reader chose here, else the first that the browser asks for and we have. */
const preferred = (): Language => {
  const chosen = localStorage.getItem(storageKey);
  if (isLanguage(chosen)) return chosen;
  return navigator.languages.map((tag) => tag.slice(0, 2)).find((tag): tag is Language => isLanguage(tag)) ?? 'en';
};

const use = async (language: Language): Promise<void> => {
  if (!i18next.hasResourceBundle(language, 'translation')) i18next.addResourceBundle(language, 'translation', (await load[language]()).default);
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
