"""Operations on the files of items."""

from __future__ import annotations

from airflow_codebeamer.client.answers import read, read_many
from airflow_codebeamer.client.form import Form
from airflow_codebeamer.client.paging import LONGEST_PAGE, page_of
from airflow_codebeamer.client.transport import Before, Transport
from airflow_codebeamer.errors import ContractError
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Attachment

__all__ = ["Attachments"]


class Attachments:
    """Files of items, by the item's number.

    The operations that write raise `OutcomeUnknownError` or `ServerError` when it
    may have happened: list the files before writing again, or there are two.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_attachments(self, item_id: ItemId, name: str = "") -> list[Attachment]:
        """Return the files of an item, all or those whose name has `name` in it.

        Raises:
            ForbiddenError: needs the permission to view comments and attachments.
        """
        path = f"/items/{item_id}/attachments"
        query = {"fileName": name or None}
        answer = self._transport.read("GET", path, query=query)
        if isinstance(answer, dict) and "attachments" in answer:
            answer = answer["attachments"]
        page = page_of(answer or [], f"GET {path}", number=1, size=LONGEST_PAGE)
        return read_many(Attachment, page.entries, f"GET {path}")

    def get_content(self, item_id: ItemId, attachment_id: int) -> bytes:
        """Return what is in a file."""
        path = f"/items/{item_id}/attachments/{attachment_id}/content"
        return self._transport.download(path)

    def add_attachment(
        self,
        item_id: ItemId,
        name: str,
        content: bytes,
        *,
        before: Before | None = None,
    ) -> Attachment:
        """Hang a file on an item; one of the same name stays beside it.

        Raises:
            ForbiddenError: needs the permission to add comments and attachments.
            ItemLockedError: somebody is editing the item.
        """
        path = f"/items/{item_id}/attachments"
        form = Form("attachments", name, content)
        answer = self._transport.write("POST", path, body=form, before=before)
        made = read_many(Attachment, answer or [], f"POST {path}")
        if not made:
            raise ContractError(f"POST {path}", "no attachment")
        return made[0]

    def replace_content(
        self,
        item_id: ItemId,
        attachment: Attachment,
        content: bytes,
        *,
        before: Before | None = None,
    ) -> Attachment:
        """Give a file a new revision; the older ones stay in its history.

        Raises:
            ForbiddenError: needs the permission to edit comments and attachments.
            ItemLockedError: somebody is editing the item.
        """
        path = f"/items/{item_id}/attachments/{attachment.id}/content"
        form = Form("content", attachment.name, content)
        answer = self._transport.write("PUT", path, body=form, before=before)
        return read(Attachment, answer, f"PUT {path}")

    def restore_version(
        self, attachment_id: int, version: int, *, before: Before | None = None
    ) -> None:
        """Give a file again what it held in an earlier version; that is a new one.

        Raises:
            NotFoundError: no such file or version.
        """
        path = f"/attachments/{attachment_id}/restore"
        query = {"version": version}
        self._transport.write("PUT", path, query=query, before=before)

    def delete_attachment(
        self, item_id: ItemId, attachment_id: int, *, before: Before | None = None
    ) -> None:
        """Take a file away, with all its versions.

        Raises:
            NotFoundError: it is not there (any more).
            ItemLockedError: somebody is editing the item.
        """
        path = f"/items/{item_id}/attachments/{attachment_id}"
        self._transport.write("DELETE", path, before=before)
