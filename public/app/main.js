import { Connection } from './connection.js';
import { Identity } from './identity.js';
import { ChatPage } from './view/chat-page.js';
import { startTheme } from './view/theme.js';

startTheme();
const identity = new Identity();
const connection = new Connection(identity);
new ChatPage({ identity, connection }).start();
connection.start();
