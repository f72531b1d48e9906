import { runApp } from '@kilotoken/platform/process';
import { backofficeApp } from './app.js';

await runApp(backofficeApp);
