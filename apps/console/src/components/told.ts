import { notifications } from '@mantine/notifications';

/** A short word that something was done; it goes by itself, and a screen reader hears it. */
export const tell = (message: string): void => {
  notifications.show({ message, color: 'teal', autoClose: 4_000 });
};
