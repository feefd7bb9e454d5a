// What scripts themselves say, in both languages. A page may override single lines: <body data-texts='{"undo": "…"}'>.

export const TEXTS = {
  en: {
    undo: 'Undo',
    close: 'Close',
    cancel: 'Cancel',
    confirm: 'Yes, do it',
    failed: 'That did not work. Your text is still here; please try again.',
    offline: 'No connection. Your text is still here; please try again.',
    keys: 'Keyboard shortcuts',
    keysOn: 'Single-key shortcuts are on',
    keyNext: 'Next conversation',
    keyPrevious: 'Previous conversation',
    keyPick: 'Pick the conversation',
    keyPickMore: 'Pick up to the next one',
    keyFocus: 'Hide or show the sides',
    keySubmit: 'Send the form',
    keyPalette: 'Find a command, ticket or customer',
    keyHelp: 'This list',
    palette: 'Commands',
    paletteHint: 'Command, customer, ticket…',
    nothing: 'Nothing found',
    found: { one: '{n} result', other: '{n} results' },
    draftSaved: 'Draft saved {time}',
    draftSaving: 'Saving…',
    draftLocal: 'Draft kept in this browser',
    wordsKept: 'Your words from before are back',
    wordsInComposer: 'The reply no longer waits. Its words are in the composer.',
    removeFile: 'Remove {name}',
    tooLarge: '{name} is larger than {limit} MB',
    live: 'Live',
    asOf: 'Data as of {time}',
    paused: 'Paused at {time}',
    offer: 'Offer',
    secondsLeft: { one: '{n} second left', other: '{n} seconds left' },
    expired: 'The offer went to somebody else',
    picked: { one: '{n} picked', other: '{n} picked' },
    copied: 'Copied',
    overdueBy: 'overdue by {time}',
    dueSoon: 'due soon, {time} left',
    left: '{time} left',
    pausedLeft: 'paused, {time} left',
    pausedOverdue: 'paused, overdue by {time}',
  },
  ru: {
    undo: 'Отменить',
    close: 'Закрыть',
    cancel: 'Отмена',
    confirm: 'Да, выполнить',
    failed: 'Не получилось. Ваш текст на месте, попробуйте ещё раз.',
    offline: 'Нет связи. Ваш текст на месте, попробуйте ещё раз.',
    keys: 'Горячие клавиши',
    keysOn: 'Клавиши без Ctrl включены',
    keyNext: 'Следующее обращение',
    keyPrevious: 'Предыдущее обращение',
    keyPick: 'Отметить обращение',
    keyPickMore: 'Отметить до следующего',
    keyFocus: 'Скрыть или показать бока',
    keySubmit: 'Отправить форму',
    keyPalette: 'Найти команду, обращение или клиента',
    keyHelp: 'Этот список',
    palette: 'Команды',
    paletteHint: 'Команда, клиент, номер обращения…',
    nothing: 'Ничего не найдено',
    found: { one: '{n} результат', few: '{n} результата', many: '{n} результатов', other: '{n} результата' },
    draftSaved: 'Черновик сохранён {time}',
    draftSaving: 'Сохраняем…',
    draftLocal: 'Черновик сохранён в этом браузере',
    wordsKept: 'Ваш прежний текст на месте',
    wordsInComposer: 'Ответ больше не ждёт отправки. Его текст — в поле ответа.',
    removeFile: 'Убрать {name}',
    tooLarge: '{name} больше {limit} МБ',
    live: 'Живые данные',
    asOf: 'Данные на {time}',
    paused: 'Остановлено в {time}',
    offer: 'Предложение',
    secondsLeft: { one: 'осталась {n} секунда', few: 'осталось {n} секунды', many: 'осталось {n} секунд', other: 'осталось {n} секунды' },
    expired: 'Предложение ушло другому',
    picked: { one: 'отмечено {n}', other: 'отмечено {n}' },
    copied: 'Скопировано',
    overdueBy: 'просрочено на {time}',
    dueSoon: 'скоро, осталось {time}',
    left: 'осталось {time}',
    pausedLeft: 'на паузе, осталось {time}',
    pausedOverdue: 'на паузе, просрочено на {time}',
  },
};

/** The page's language, "ru" or "en". */
export function language() {
  return document.documentElement.lang.startsWith('ru') ? 'ru' : 'en';
}

/** A line in the page's language, its {names} filled in; `values.n` also chooses the plural form. */
export function text(name, values = {}) {
  const line = overrides()[name] ?? TEXTS[language()][name];
  return fill(line, language(), values);
}

export function fill(line, lang, values) {
  const form = typeof line === 'string' ? line : (line[new Intl.PluralRules(lang).select(values.n)] ?? line.other);
  return form.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? '');
}

/** A push may carry one text, or one per language. */
export function inOurLanguage(value) {
  return value && typeof value === 'object' ? (value[language()] ?? value.en) : value;
}

/** Hours and minutes on the reader's clock. */
export function clockTime(at = new Date()) {
  return at.toLocaleTimeString(language(), { hour: '2-digit', minute: '2-digit' });
}

let read = null;

function overrides() {
  read ??= JSON.parse(document.body.dataset.texts || '{}');
  return read;
}
