import type { AudienceEvent } from "../events/audience_pb";
import { Follow_Action } from "../events/audience_pb";
import { type Decision, Decision_Outcome, Decision_Reason, type ScoreTerm } from "../events/turn_pb";
import { type Dictionary, language, speaker } from "./language";

const WORDS = {
  someone: ["有人", "someone"],
  giftMany: ["送出 {0} ×{1}", "sent {0} ×{1}"],
  gift: ["送出 {0}", "sent {0}"],
  aGift: ["礼物", "a gift"],
  superChat: ["醒目留言 {0}：{1}", "super chat {0}: {1}"],
  like: ["点了 {0} 个赞", "liked ×{0}"],
  follow: ["关注了主播", "followed"],
  unfollow: ["取消了关注", "unfollowed"],
  enter: ["来了", "came in"],
  left: ["离开了", "left"],
  fansClub: ["粉丝团动态", "fans club"],
  share: ["分享了直播间", "shared the room"],
  did: ["做了点什么", "did something"],
  waiting: ["等待中", "waiting"],
  chosen: ["她来回答", "she answers"],
  merged: ["合并回答", "answered together"],
  dropped: ["未选", "passed over"],
} satisfies Dictionary<string>;

const REASONS: Readonly<Record<Decision_Reason, readonly [string, string]>> = {
  [Decision_Reason.UNSPECIFIED]: ["", ""],
  [Decision_Reason.BEST_SCORE]: ["分数最高", "best score"],
  [Decision_Reason.PAID]: ["礼物必谢", "gifts are always thanked"],
  [Decision_Reason.DUPLICATE]: ["重复消息", "seen before"],
  [Decision_Reason.NEAR_DUPLICATE]: ["与他人问题相同", "same question as another"],
  [Decision_Reason.EXPIRED]: ["等太久了", "waited too long"],
  [Decision_Reason.QUEUE_FULL]: ["人太多，排不下", "the queue was full"],
  [Decision_Reason.MODERATED]: ["未通过审核", "not for this room"],
  [Decision_Reason.SKIPPED]: ["运营跳过", "skipped by the operator"],
  [Decision_Reason.WITHDRAWN]: ["已撤回", "withdrawn"],
  [Decision_Reason.NOT_SPEAKABLE]: ["无需回答", "nothing to answer"],
  [Decision_Reason.HELD]: ["等运营确认", "held for the operator"],
  [Decision_Reason.GATHERED]: ["汇总成一句", "gathered into one remark"],
  [Decision_Reason.FLOODING]: ["发言太频繁", "wrote too often"],
  [Decision_Reason.APPROVED]: ["运营选中", "chosen by the operator"],
  [Decision_Reason.NOT_PERFORMED]: ["没能说出来", "could not be performed"],
};

/** The terms of a score, as audience names them, in Chinese. */
const TERMS: Readonly<Record<string, string>> = {
  question: "提问",
  addressed: "叫她名字",
  value: "价值",
  meaning: "有内容",
  spam: "刷屏",
  repeated: "重复",
  freshness: "新鲜",
  waiting: "久等",
  fairness: "公平",
  company: "多人问",
};

/** What audience adds to a reason, in Chinese. Names of moderation's rules stay as they are. */
const DETAILS: Readonly<Record<string, string>> = {
  "was not heard": "没有被听到",
  "asked often enough": "已经问过很多次",
};

const say = speaker(WORDS);

/** How a decision looks: its colour and its sign. */
export type Tone = "waiting" | "chosen" | "dropped";

export function tone(decision: Decision): Tone {
  if (decision.outcome === Decision_Outcome.DROPPED) return "dropped";
  return decision.outcome === Decision_Outcome.WAITING ? "waiting" : "chosen";
}

/** What became of an event and why, in a few words. */
export function verdict(decision: Decision): string {
  const outcome = {
    [Decision_Outcome.UNSPECIFIED]: "",
    [Decision_Outcome.WAITING]: say("waiting"),
    [Decision_Outcome.CHOSEN]: say("chosen"),
    [Decision_Outcome.MERGED]: say("merged"),
    [Decision_Outcome.DROPPED]: say("dropped"),
  }[decision.outcome];
  const reason = REASONS[decision.reason]?.[language() === "zh" ? 0 : 1] ?? "";
  return [outcome, reason].filter(Boolean).join(" · ");
}

/** Whether viewers may read the words of the event: not when they were refused or taken back. */
export function presentable(decision: Decision): boolean {
  return decision.reason !== Decision_Reason.MODERATED && decision.reason !== Decision_Reason.WITHDRAWN;
}

/** One part of a score. */
export function termName(term: ScoreTerm): string {
  return language() === "zh" ? (TERMS[term.name] ?? term.name) : term.name;
}

/** What is to be known besides the reason. */
export function detail(decision: Decision): string {
  return language() === "zh" ? (DETAILS[decision.detail] ?? decision.detail) : decision.detail;
}

/** Whoever did it. */
export function viewerName(event: AudienceEvent | undefined): string {
  return event?.viewer?.name || say("someone");
}

/** What a viewer wrote or did. */
export function deed(event: AudienceEvent | undefined): string {
  const kind = event?.kind;
  switch (kind?.case) {
    case "chat":
      return kind.value.text;
    case "gift": {
      const name = kind.value.name || say("aGift");
      return kind.value.count > 1 ? say("giftMany", name, String(kind.value.count)) : say("gift", name);
    }
    case "superChat":
      return say("superChat", yuan(kind.value.valueFen), kind.value.text);
    case "like":
      return say("like", String(kind.value.count));
    case "follow":
      return say(kind.value.action === Follow_Action.UNFOLLOWED ? "unfollow" : "follow");
    case "enter":
      return say(kind.value.left ? "left" : "enter");
    case "fansClub":
      return say("fansClub");
    case "share":
      return say("share");
    default:
      return say("did");
  }
}

/** ¥ for fen. */
export function yuan(fen: bigint | number): string {
  const value = Number(fen) / 100;
  return `¥${Number.isInteger(value) ? value : value.toFixed(value < 1 ? 1 : 2)}`;
}
