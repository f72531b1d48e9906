import { runApp } from '@kilotoken/platform';
import { meteringApp } from './app.js';

await runApp(meteringApp);
