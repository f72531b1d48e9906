import { runApp } from '@kilotoken/platform';
import { backofficeApp } from './app.js';

await runApp(backofficeApp);
