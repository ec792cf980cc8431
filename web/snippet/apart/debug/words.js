/*
 * What the panel says, in English or Russian: the page's language, else the reader's own.
 * English words are left out where the code says it; a code of others' making (utm, an ad
 * system's name) is shown as it is.
 */

const WORDS = `
title|Skvoz debugging|Отладка Skvoz
copy||копировать
copied|Copied without data of forms|Скопировано без данных форм
close|End debugging|Закончить отладку
visit||визит
site||сайт
page||страница
consent||согласие
granted|given or not needed|есть или не требуется
refused|refused: nothing is kept|отказ: ничего не хранится
unasked|not yet: nothing is kept|ещё нет: ничего не хранится
session||сессия
visitor||посетитель
device||устройство
region||регион
test||тест
source||источник
channel||канал
campaign||кампания
term|keyword|ключевая фраза
content|ad|объявление
why||почему
why_landing|this landing|этот вход
why_session|the session goes on|сессия продолжается
why_visitor|the visitor’s earlier source|прежний источник посетителя
why_nothing|unknown|неизвестно
why_no_consent|this landing, without consent|этот вход, без согласия
why_not_kept|not kept: crawler or outage|не записано: робот или сбой
landing|this landing|этот вход
click_id|click id of an ad|метка рекламного клика
referrer|previous page|предыдущая страница
self|page of this site|страница этого сайта
kept|page of this site|страница этого сайта
tags||метки
numbers|numbers and addresses|номера и адреса
dynamic|the visitor’s own|личный
static|of the source|номер источника
overflow|common|общий
own|as on the page|как на странице
pool||пул
lent|just lent|только что выдан
held|lent before|выдан раньше
shared|shared with another visitor|общий с другим посетителем
none_idle|none free or not read yet|нет свободных или не прочтён
no_pool|no pool|нет пула
not_targeted|no pool for this visitor|нет пула для этого посетителя
away|no store of numbers|нет хранилища номеров
places|places here|мест на странице
hidden||скрыто
left|excluded by settings|исключено настройками
pending|not swapped|не подменено
strangers|not tracked|не отслеживается
trouble||неполадки
sent|told to the tracker|передано трекеру
silent|no answer yet|ответа ещё нет
`;

const written = document.documentElement.lang || navigator.language;
export const LANGUAGE = /^ru/i.test(written) ? 'ru' : 'en';

const words = {};
for (const line of WORDS.split('\n')) {
  const [code, english, russian] = line.split('|');
  words[code] = LANGUAGE == 'ru' ? russian : english;
}

export function say(code) {
  return words[code] || code;
}
